// What a checkpoint will do, decided before the container is touched. A plan is data; whatever can
// be refused is refused while it is made.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "archive/writer.h"
#include "checkpoint/written.h"
#include "cut/memory.h"
#include "cut/trees.h"
#include "os/atomic_file.h"
#include "store/layout.h"
#include "subject/source.h"

namespace still::checkpoint {

// What --memory-cut asks for: by forks of the processes, which takes milliseconds
// (memory/fork_copy.h), or by CRIU as it is (stock), which takes as long as all of it is to write.
// Auto: by forks where that works and is faster.
enum class MemoryWish { kAuto, kProtect, kFork, kStock };

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
  bool verify_restore = false;  // by a restore on trial
  // Freeze containers that write to the same volumes for the same time.
  bool freeze_sharers = true;
  // How much memory CRIU's images may take until they are in the archive; larger ones, and all of
  // them with 0, are kept in the store meanwhile.
  uint64_t memory_staging_bytes = 0;
  MemoryWish memory_cut = MemoryWish::kAuto;
  // For --memory-cut=auto and fork: how much of its limit of memory the container must have left,
  // because pages that it changes while they are copied are there twice.
  uint64_t memory_headroom_bytes = uint64_t{64} << 20;
  // How long the kernel may take to freeze all tasks. It takes milliseconds but where one does not
  // freeze at all, and meanwhile the others stand still.
  std::chrono::nanoseconds freeze_timeout = std::chrono::seconds(2);
  // Refuse, or give up, a live checkpoint that keeps the container frozen for longer.
  std::optional<std::chrono::nanoseconds> max_pause;
  // How long the runtime may go on without CRIU holding any task before it counts as hung.
  std::chrono::nanoseconds runtime_timeout = std::chrono::seconds(30);
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
  // The same, found when the plan was made; null if no archive is written.
  std::shared_ptr<const FilePlace> place{};
  bool writes_archive = false;
  Freezing freezing = Freezing::kFreeze;
  std::string cgroup_version;  // "v1", "v2", "none"
  std::vector<cut::TreePlan> trees;
  // Names of running containers that write to the same volumes. A live checkpoint freezes them,
  // too; one with the default way cannot be certified then.
  std::vector<std::string> sharers;
  // Processes that exec brought in, "12 (sleep)". A live checkpoint freezes them, too, and leaves
  // them out.
  std::vector<std::string> sessions;
  // What it has mounted of the host, and no checkpoint has.
  std::vector<subject::BindMount> binds;
  uint64_t memory_bytes = 0;  // resident, of all processes that are dumped
  Written written;            // beside that, while it stands still
  cut::MemoryChoice memory;   // how it is cut
};

// Throws what it is refused for (refusals.h), and Error(kSystem). sharers: held containers that
// write to the same volumes.
Plan make_plan(const subject::Held& container,
               const std::vector<std::unique_ptr<subject::Held>>& sharers,
               const store::Layout& layout, const CheckpointOptions& options);

// Whether CRIU's images go to memory: they can be expected to fit there.
bool stages_in_memory(const Plan& plan);

// Whether big files without a name are copied before (cut/deleted_files.h). Not where nothing but
// CRIU makes the processes stand still: then it alone knows when they do.
bool copies_deleted_files(const Plan& plan);

}  // namespace still::checkpoint
