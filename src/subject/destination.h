// Where containers go: what an engine has to offer so that its containers can be restored, from an
// archive or in place.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "criu/image_privileges.h"
#include "oci/runtime.h"
#include "os/privileged_entries.h"

namespace still::subject {

// What an archive's trees hold of privileged entries, by the archive's member.
using PrivilegedTrees = std::map<std::string, PrivilegedEntries>;

// What an archive says of its container.
struct ArchivedContainer {
  std::string id;
  std::string name;
  std::string cgroup;                // where its engine had it, as Subject::cgroup
  std::vector<std::string> volumes;  // their names, each once
};

// Reads what an archive says of its container in the engine's own words: the members config.dump
// and spec.dump, as they are in the archive and not believed.
class DumpReader {
 public:
  DumpReader() = default;
  DumpReader(const DumpReader&) = delete;
  DumpReader& operator=(const DumpReader&) = delete;
  virtual ~DumpReader() = default;

  // Whether this engine's containers have such a config.dump; one of another engine need not be
  // damaged. Throws Error(kCorrupt) for what is none of any engine.
  virtual bool knows(std::string_view config_dump) const = 0;
  // Throws Error(kUnsupported) for another engine's, Error(kCorrupt) for a damaged one.
  virtual ArchivedContainer read(std::string_view config_dump) const = 0;

  // Both of a container of this engine, the first one read before:
  // Throws Error(kCorrupt) naming what spec.dump has and a container of that config.dump has not.
  virtual void check_spec(std::string_view config_dump, std::string_view spec_dump) const = 0;
  // What they ask for beyond a container that was made without flags, as the flags that it takes;
  // what the processes in CRIU's images have beyond that container; and the flags that the entries
  // of the trees take.
  virtual std::vector<std::string> demands(std::string_view config_dump,
                                           const criu::ImagePrivileges& images,
                                           const PrivilegedTrees& trees) const = 0;
};

// Where a container is filled and brought to run: plain data.
struct Place {
  std::string id;
  std::string name;
  std::filesystem::path root;          // where its root file system is mounted
  std::filesystem::path shm;           // and its /dev/shm
  std::filesystem::path etc;           // the engine's files in its /etc; empty: none
  std::filesystem::path log;           // what the container has written
  std::filesystem::path bundle;        // the runtime's; complete once it is mounted
  std::filesystem::path restore_work;  // for CRIU's log and statistics; may not exist yet
  // Files that Still writes for CRIU, as Subject's.
  std::filesystem::path criu_configuration;
  std::filesystem::path criu_overrides;
};

// A container that does not run and can be brought to run from CRIU's images.
class Restorable {
 public:
  Restorable() = default;
  Restorable(const Restorable&) = delete;
  Restorable& operator=(const Restorable&) = delete;
  virtual ~Restorable() = default;

  virtual const Place& place() const = 0;
  virtual std::unique_ptr<oci::OciRuntime> runtime() const = 0;

  // Mounts root file system and /dev/shm and makes ready all that the runtime reads.
  virtual void mount() = 0;
  virtual void unmount() = 0;
  // After mount(): the runtime restores it. dumped_cgroup: where it lived when the images were
  // made, empty: it had no cgroup of its own. On success the engine knows that it runs. Throws
  // Error(kRuntime) with what the runtime says; nothing runs then and no cgroup is left, the mounts
  // stay.
  virtual void start(const oci::RestoreOptions& options, const std::string& dumped_cgroup) = 0;
};

// --- from an archive
// -------------------------------------------------------------------------------

// What shall be otherwise than the archive says.
struct Wishes {
  std::string name;    // empty: the archive's name and id
  std::string rootfs;  // a directory instead of the archive's base; empty: that
  std::string image;   // an image instead of it: what the engine knows one by; empty: that
  std::map<std::string, std::string> rename_volumes;  // the archive's name -> new name
};

// A container of which everything is decided and nothing made. What is made goes again with the
// object, unless it is kept.
class NewContainer {
 public:
  NewContainer() = default;
  NewContainer(const NewContainer&) = delete;
  NewContainer& operator=(const NewContainer&) = delete;
  virtual ~NewContainer() = default;

  // Makes an empty volume; archived_name: the archive's, which may not be its name here. Returns
  // the directory of its content. Throws Error(kConflict) if there is one already.
  virtual std::filesystem::path make_volume(const std::string& archived_name) = 0;
  // Volumes that were not made by then have to be there. Throws Error(kConflict) if name or id is
  // in use. The container is held for as long as this object lives.
  virtual Restorable& make_container() = 0;
  virtual void keep() = 0;
};

// --- in place
// --------------------------------------------------------------------------------------

// A container in the engine's store that may have a checkpoint there: plain data.
struct StoredContainer {
  bool is_running = false;  // or paused
  // The images of a checkpoint that has ended it, if its files are still those of that moment.
  std::optional<std::filesystem::path> images;
  std::filesystem::path shm_content;  // goes with the images: a tar file of /dev/shm, or nothing
  std::string cgroup;                 // as Subject::cgroup
  // The archive of a live checkpoint.
  std::optional<std::filesystem::path> archive;
  // Whose files are set back to that: the writable layer of its root file system, and the content
  // of its volumes by name.
  std::filesystem::path writable_layer;
  std::map<std::string, std::filesystem::path> volumes;
};

// One of them, held as a Held is.
class StoredCheckpoint {
 public:
  StoredCheckpoint() = default;
  StoredCheckpoint(const StoredCheckpoint&) = delete;
  StoredCheckpoint& operator=(const StoredCheckpoint&) = delete;
  virtual ~StoredCheckpoint() = default;

  virtual const StoredContainer& stored() const = 0;
  virtual Restorable& container() = 0;
  // Throws Error(kConflict) if another container runs that would see one of the volumes change
  // under its hands.
  virtual void check_volumes_free() const = 0;
  // Its images, its archive, or both.
  virtual void remove_checkpoint() = 0;
};

// What became of a container that was restored with its own files, in place, when the restore was
// interrupted: it runs, ended with its checkpoint as good as before, or ended after its tasks had
// run and changed the files.
enum class InOwnFiles { kRuns, kAtCheckpoint, kUsedUp };

class Destination {
 public:
  Destination() = default;
  Destination(const Destination&) = delete;
  Destination& operator=(const Destination&) = delete;
  virtual ~Destination() = default;

  virtual const DumpReader& dumps() const = 0;

  // config_dump has been read. trees: those that will be unpacked. operation: the key of the
  // journal's entry; what is made is found by it if this process is killed. Throws Error: kUsage
  // (the archive asks for more than was granted, or a wish names what it has not), kNotFound (a
  // base, or the source of a bind mount), kConflict (the name is in use), kCorrupt (the images do
  // not belong together).
  virtual std::unique_ptr<NewContainer> decide(std::string_view config_dump,
                                               const criu::ImagePrivileges& images,
                                               const PrivilegedTrees& trees, const Wishes& wishes,
                                               const std::string& operation) = 0;

  // reference: as Source::hold()'s; errors, too.
  virtual std::unique_ptr<StoredCheckpoint> open(const std::string& reference) = 0;
};

}  // namespace still::subject
