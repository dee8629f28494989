// What a checkpoint will do, decided before the container is touched. A plan is data; whatever can
// be refused is refused while it is made.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "archive/writer.h"
#include "engine/container/container.h"
#include "memory/self_test.h"
#include "tree/survey.h"

namespace still::checkpoint {

// How the memory of a live checkpoint is cut: by forks of the processes, which takes milliseconds
// (memory/fork_copy.h), or by CRIU as it is (stock), which takes as long as all of it is to write.
// Auto: by forks where that works.
enum class MemoryWay { kAuto, kFork, kStock };

struct CheckpointOptions {
  bool leave_running = false;
  std::optional<std::filesystem::path> export_file;
  archive::Compression compression = archive::Compression::kZstd;
  // Whom the exported archive is encrypted to: archive/encryption.h. Empty: it is not.
  std::vector<std::string> recipients;
  bool ignore_rootfs = false;
  bool ignore_volumes = false;
  bool keep = false;  // CRIU's log and statistics stay in the store after success
  bool tcp_established = false;
  bool file_locks = false;
  bool require_freeze = false;
  // Freeze containers that write to the same volumes for the same time.
  bool freeze_sharers = true;
  // How much memory CRIU's images may take until they are in the archive; larger ones, and all of
  // them with 0, are kept in the store meanwhile.
  uint64_t memory_staging_bytes = 0;
  MemoryWay memory_cut = MemoryWay::kAuto;
  // For --memory-cut=auto and fork: how much of its limit of memory the container must have left,
  // because pages that it changes while they are copied are there twice.
  uint64_t memory_headroom_bytes = uint64_t{64} << 20;
  // How long the kernel may take to freeze all tasks.
  std::chrono::nanoseconds freeze_timeout = std::chrono::seconds(10);
  // Refuse, or give up, a live checkpoint that keeps the container frozen for longer.
  std::optional<std::chrono::nanoseconds> max_pause;
  // How long the runtime may go on without CRIU holding any task before it counts as hung.
  std::chrono::nanoseconds runtime_timeout = std::chrono::seconds(30);
};

// A directory that is captured as a whole.
struct TreePlan {
  std::string name;                 // "rootfs", "volume:NAME", "devshm"
  std::string member;               // of the archive
  std::filesystem::path source;     // the tree as the container writes it
  bool upper_layer = false;         // the writable layer of an overlay
  tree::Survey found{};             // while the container ran
  std::set<std::string> scratch{};  // where in it CRIU works: tree::Scratch
};

enum class Freezing {
  kFreeze,         // Still freezes and thaws
  kAlreadyFrozen,  // the container is paused and stays so
  kNone,           // no cgroup of its own: the weaker guarantee
  kNotNeeded,      // the default checkpoint: CRIU leaves no task alive
};

struct Plan {
  std::string container_id;
  std::string container_name;
  CheckpointOptions options;
  std::filesystem::path target;  // the archive; inside the store without --export
  bool writes_archive = false;
  Freezing freezing = Freezing::kFreeze;
  std::string cgroup_version;  // "v1", "v2", "none"
  std::vector<TreePlan> trees;
  // Names of running containers that write to the same volumes. A live checkpoint freezes them,
  // too; one with the default way cannot be certified then.
  std::vector<std::string> sharers;
  uint64_t memory_bytes = 0;  // resident, of all processes
  // Why the memory is not cut by forks; empty if it is, and then how.
  std::string stock_because;
  memory::Skeleton skeleton = memory::Skeleton::kParentImage;
};

// Throws Error: kConflict (not running, processes brought in by exec), kUnsupported (resources that
// CRIU cannot dump, no freezer with require_freeze), kNotFound (no CRIU, no directory for the
// target), kUsage (flags that do not go together), kSystem (no space).
// sharers: locked containers that write to the same volumes.
Plan make_plan(const engine::Container& container, const std::vector<engine::Container>& sharers,
               const engine::Layout& layout, const CheckpointOptions& options);

// Whether CRIU's images go to memory: they can be expected to fit there.
bool stages_in_memory(const Plan& plan);

// Paths of the root file system that belong to the engine and are no part of its difference.
const std::vector<std::string>& engine_paths();

}  // namespace still::checkpoint
