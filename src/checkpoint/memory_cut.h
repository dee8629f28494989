// How the memory of a live checkpoint gets into its images.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "checkpoint/cancellation.h"
#include "checkpoint/plan.h"
#include "checkpoint/staging.h"
#include "engine/container.h"
#include "engine/layout.h"
#include "memory/fork_copy.h"
#include "memory/merge.h"

namespace still::checkpoint {

// Why the memory is to be written by CRIU while the container stands still, in words for people;
// empty if it can be cut by forks. The plan is complete but for this.
std::string why_stock_memory(const engine::Container& container, const engine::Layout& layout,
                             const Plan& plan);

// Something went wrong that CRIU by itself may well be able to do; nothing is left of it.
class ForkCutFailed : public Error {
 public:
  using Error::Error;
  explicit ForkCutFailed(const Error& error) : Error(error) {}
};

// The cut by forks. CRIU writes images without memory (they say that it is in a parent, which is
// made up); the processes are forked before they run on; what their children hold is merged into
// the images afterwards. Every function throws ForkCutFailed.
class MemoryCut {
 public:
  MemoryCut(const engine::Container& container, StagingPlace place);
  MemoryCut(const MemoryCut&) = delete;
  MemoryCut& operator=(const MemoryCut&) = delete;

  // Before the freeze.
  void prepare();
  // In the window, before the dump.
  void before_dump();
  // After the dump, the cgroup still frozen; and when it is thawed: the container runs then.
  void hold();
  void take();
  // Until the images are complete; the container is locked, for a copy is a process in it.
  memory::MergeTotals merge(Cancellation& cancellation);

 private:
  const engine::Container& container_;
  const StagingPlace place_;
  std::vector<pid_t> processes_;
  std::vector<pid_t> known_;  // pids that the parent's images have
  bool kernel_tracks_changes_ = false;
  memory::ForkCopy copy_;
};

}  // namespace still::checkpoint
