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

// Of containers: hexadecimal digits.
inline constexpr size_t kIdLength = 64;

// Moments are nanoseconds of wall time since the Unix epoch; zero: it has not happened.
struct ContainerRecord {
  std::string id;
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

// What a live checkpoint took, for the estimates of later ones.
struct Measurement {
  std::string container_id;
  std::chrono::nanoseconds at{};
  uint64_t memory_bytes = 0;  // of the container, resident, as planned
  uint64_t entries = 0;       // of its trees
  int memory_way = 0;         // how it was cut: 0 by CRIU, 1 by forks, 2 by write protection
  // dump: all that has to do with the memory.
  std::chrono::nanoseconds dump{}, capture{}, pause{};
};

}  // namespace still::store
