// Everything that was decided when a container was created: enough to make the same container
// again, here or from an archive. Plain data with a JSON form.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/spec.h"

namespace still::engine {

// Where a mount is in the container is its destination, as the user gave it, and its place: the
// same with the links of the root file system resolved, as the kernel and CRIU know it. The place
// is found out when the container is mounted first, and stays; empty: not yet.
struct VolumeMount {
  std::string volume;  // name; empty: Container::create makes an anonymous volume
  std::string destination;
  bool read_only = false;
  std::string place{};
};

struct BindMount {
  std::string source;  // absolute path on the host, as the user gave it
  std::string destination;
  bool read_only = false;
  bool recursive = true;
  std::string place{};
  // The source without links, when the container was made; empty in configurations of before.
  std::string resolved_source{};
};

struct TmpfsMount {
  std::string destination;
  std::vector<std::string> options;  // "size=64m", "mode=1777"
  std::string place{};
};

// Its place, or its destination as long as that is not known.
const std::string& place_of(const auto& mount) {
  return mount.place.empty() ? mount.destination : mount.place;
}
inline const std::string& source_of(const BindMount& mount) {
  return mount.resolved_source.empty() ? mount.source : mount.resolved_source;
}

struct ContainerConfig {
  std::string image;     // name as the user gave it; empty with rootfs
  std::string image_id;  // empty with rootfs
  std::string rootfs;    // --rootfs: absolute path of a directory that is never written to
  std::vector<std::string> arguments;  // entry point and command, resolved
  std::vector<std::string> environment;
  std::string directory = "/";
  std::string user;  // as given: "redis", "999:999"; resolved against the rootfs at start
  std::string hostname;
  bool terminal = false;
  bool open_stdin = false;  // -i
  bool init = false;        // --init: a reaping init runs as pid 1
  bool read_only = false;
  bool remove_when_done = false;  // --rm
  // Podman has made it: it has the empty file /run/.containerenv, and sees of /proc and /sys what
  // Podman does not hide.
  bool from_podman = false;
  // Another engine than Podman or Still has: it sees as much of /proc and /sys.
  bool from_other_engine = false;
  std::vector<VolumeMount> volumes;
  std::vector<BindMount> binds;
  std::vector<TmpfsMount> tmpfs;
  uint64_t shm_size_bytes = uint64_t{64} << 20;
  std::string network = "none";  // "none", "host"
  std::string runtime = "crun";  // name or path
  bool cgroups = true;
  std::string cgroup_parent = "/still";
  // Its cgroup, decided when it was made. Empty: it follows from its id, as in containers of
  // before; in archives, because it means nothing elsewhere.
  std::string cgroup;
  std::string log_driver = "k8s-file";  // "k8s-file" (alias "json-file"), "none"
  std::vector<std::string> add_capabilities;
  std::vector<std::string> drop_capabilities;
  std::vector<std::string> security_options;  // "no-new-privileges", "seccomp=unconfined"
  std::map<std::string, std::pair<uint64_t, uint64_t>> rlimits;
  std::optional<int64_t> memory_limit_bytes;
  std::optional<int64_t> pids_limit;
  std::optional<double> cpus;
  std::map<std::string, std::string> labels;
  int stop_signal = 15;
  int stop_timeout_seconds = 10;
};

std::string to_json(const ContainerConfig& config);
// Throws Error(kCorrupt) naming the key for text that is no such configuration.
ContainerConfig parse_container_config(std::string_view json);

}  // namespace still::engine
