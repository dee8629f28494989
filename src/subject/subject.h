// A running container as a checkpoint knows it, whoever made it: plain data.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cgroup/freezer.h"
#include "cgroup/room.h"
#include "os/process.h"
#include "subject/processes.h"

namespace still::subject {

enum class TreeKind {
  kRootfs,  // the writable layer of the root file system's overlay
  kVolume,
  kShm,  // /dev/shm
  kEtc,  // the engine's files in its /etc, which the container may write to
};

// A directory that is captured as a whole.
struct Tree {
  TreeKind kind = TreeKind::kRootfs;
  std::string volume{};             // its name, of a volume
  std::filesystem::path source;     // as the container writes it
  std::set<std::string> scratch{};  // where in it CRIU works: tree::Scratch
};

// As people and the manifest know it: "rootfs", "volume:NAME", "devshm", "etc".
std::string name_of(const Tree& tree);

// A file or directory of the host that is mounted in the container.
struct BindMount {
  std::filesystem::path source;  // without links
  std::string place;             // an absolute path in the container, without links
};

struct Subject {
  std::string engine;  // that made it: "still", "podman"
  std::string id;
  std::string name;
  std::string image;     // name or id of the base image, "rootfs:DIR" without one
  ProcessIdentity init;  // zero unless it runs
  std::string runtime;   // the OCI runtime as the engine was told of it, for messages
  // The cgroup that the engine made for it, as a path below the hierarchies' mounts ("/still/ID").
  std::string cgroup;
  // What it is called in archives, in spec_dump and in the images; empty: as it is.
  std::string cgroup_in_archives;
  bool has_cgroup = true;  // false: none was made, and it lives where its engine does
  bool has_host_network = false;
  // Images in archives have a network namespace with a loopback device instead of naming the
  // engine's: there is nothing else in that, and not every engine would bring the device up.
  bool has_loopback_alone = false;
  bool has_terminal = false;
  bool is_removed_when_done = false;  // --rm
  std::vector<Tree> trees;
  std::vector<BindMount> binds;
  std::vector<std::filesystem::path> lower_layers;  // below the writable one, the top one first
  // Paths of the root file system that belong to the engine and are no part of its difference.
  std::vector<std::string> engine_paths;
  std::filesystem::path log;
  // Directory for CRIU's log and statistics of its last checkpoint; may not exist yet.
  std::filesystem::path dump_work;
  // Files that Still writes for CRIU: one for the variable CRIU_CONFIG_FILE, and one that the
  // bundle's spec names (oci::kCriuConfigurationAnnotation); empty: the spec names none.
  std::filesystem::path criu_configuration;
  std::filesystem::path criu_overrides;
  // Its network namespace is its runtime's and would be in CRIU's images, made by programs that
  // CRIU calls while the container stands still; it need not, for it has a loopback device alone.
  bool leaves_network_out = false;
  // A directory that Still has made for as long as it holds the container; empty: none.
  std::filesystem::path room;
  std::string config_dump, spec_dump;  // members of the archive
  std::string network_status;          // the same; empty: there is none
  std::string spec;  // the runtime's, as it is on this machine; empty where no restore is tried
  // Its engine's own command for a checkpoint that ends it, where Still takes live ones only
  // (Held::endable()); else empty.
  std::string own_checkpoint;
};

// Where its archives say that it lived; empty: it had no cgroup of its own.
std::string archived_cgroup(const Subject& subject);
// The freezer of its own cgroup; null without one (also when it lives in one that the engine did
// not make for it).
std::unique_ptr<cgroup::Freezer> freezer_of(const Subject& subject);
// What the limits of its own cgroup leave it; all there is without one.
cgroup::Room room_of(const Subject& subject);
// All its processes, its init first.
std::vector<pid_t> processes_of(const Subject& subject);
// The same, told apart: what CRIU dumps, and what exec brought in from outside.
Division divided_processes_of(const Subject& subject);
// The same of those in its own cgroup, which knows them at once: for the window. Throws
// Error(kConflict) if the cgroup has gone, and the container with it.
Division divided_processes_in_cgroup(const Subject& subject);

}  // namespace still::subject
