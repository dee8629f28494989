// What the store remembers, as plain data.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "os/process.h"

namespace still::store {

enum class ContainerStatus { kCreated, kRunning, kPaused, kExited };

// Podman's words: "created", "running", "paused", "exited".
std::string to_string(ContainerStatus status);

// Moments are nanoseconds of wall time since the Unix epoch; zero: it has not happened.
struct ContainerRecord {
  std::string id;           // 64 hexadecimal digits
  std::string name;         // unique in the store
  std::string image_id;     // empty with --rootfs
  std::string config_json;  // engine::ContainerConfig; the store does not look inside
  std::chrono::nanoseconds created_at{};

  ContainerStatus status = ContainerStatus::kCreated;
  // The container's init, while running or paused. The process is meant only if its start time is
  // the same and the machine has not been booted since.
  pid_t pid = 0;
  uint64_t pid_start_time = 0;
  std::string boot_id;
  int exit_code = 0;
  std::chrono::nanoseconds started_at{};
  std::chrono::nanoseconds finished_at{};

  bool checkpointed = false;  // the last run ended by a checkpoint; restore brings it back
  std::chrono::nanoseconds checkpointed_at{};
  std::string checkpoint_path;  // of the last checkpoint: directory in the store, or archive
  std::string checkpoint_log;   // CRIU's log, if kept
  bool restored = false;
  std::chrono::nanoseconds restored_at{};
  std::string restore_log;

  // The key of the operation that has made it, and takes it along if it is interrupted.
  std::string made_by;
};

struct VolumeRecord {
  std::string name;
  std::chrono::nanoseconds created_at{};
  bool anonymous = false;
  std::vector<std::pair<std::string, std::string>> labels;
  std::string made_by;  // as of a container
};

struct ImageRecord {
  std::string id;                   // SHA-256 of the image configuration, 64 hexadecimal digits
  std::vector<std::string> names;   // "localhost/redis:latest"
  std::vector<std::string> layers;  // diff ids (SHA-256 of the uncompressed tar), bottom first
  std::string config_json;          // OCI image configuration
  uint64_t size_bytes = 0;
  std::chrono::nanoseconds created_at{};
};

// The cgroup of a container that a freeze window freezes.
struct FrozenCgroup {
  std::string container_id;
  ProcessIdentity init;
  std::string version;  // "v1", "v2"
  std::filesystem::path directory;
  uint64_t inode = 0;  // of the directory: a cgroup made anew is another one
};

// An operation that is going on, with all that it would leave if its process died.
struct JournalEntry {
  std::string key;        // unique
  std::string operation;  // "checkpoint", "restore"
  std::string container_id;
  std::string container_name;
  std::string boot_id;
  ProcessIdentity owner;
  ProcessIdentity guardian;           // as long as it lives, it looks after the rest
  ProcessIdentity runtime;            // leads the process group of the OCI runtime and CRIU
  pid_t init = 0;                     // of the container, that the runtime works on
  std::vector<FrozenCgroup> cgroups;  // while they may be frozen by it
  // Directories of cgroups; empty: none was lent.
  std::filesystem::path lent_cgroup, lent_from;
  std::filesystem::path images;  // of a default checkpoint; complete ones are not lost
  // CRIU's images of a live checkpoint whose processes may have been forked (memory/fork_copy.h).
  std::filesystem::path fork_images;
  // Of a restore: what it makes is removed (made_by), unless it brings back a container that was
  // there before.
  bool brings_back = false;
  // Of a restore of a container that goes on with its own files, not copies; and whether it came to
  // where CRIU may let the tasks run, and write to them.
  bool in_own_files = false;
  bool may_have_run = false;
  // Directories that are emptied for the time of a restore; what they held is beside them.
  std::vector<std::filesystem::path> set_aside;
  std::vector<std::filesystem::path> paths;  // private files and directories, with mounts in them
};

// What a live checkpoint took, for the estimates of later ones.
struct Measurement {
  std::string container_id;
  std::chrono::nanoseconds at{};
  uint64_t memory_bytes = 0;  // of the container, resident, as planned
  uint64_t entries = 0;       // of its trees
  bool forked = false;        // the memory was cut by forks
  // dump: all that has to do with the memory.
  std::chrono::nanoseconds dump{}, capture{}, pause{};
};

}  // namespace still::store
