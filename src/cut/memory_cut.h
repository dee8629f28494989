// How the memory of a live checkpoint gets into its images.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "checkpoint/plan.h"
#include "cut/cancellation.h"
#include "cut/staging.h"
#include "engine/container/container.h"
#include "engine/layout.h"
#include "memory/fork_copy.h"
#include "memory/merge.h"
#include "memory/self_test.h"

namespace still::cut {

// How the memory is cut, by forks or by CRIU itself: Plan::stock_because and Plan::skeleton. The
// plan is complete but for this.
void decide_memory_cut(checkpoint::Plan& plan, const engine::Container& container,
                       const engine::Layout& layout);

// Something went wrong that CRIU by itself may well be able to do; nothing is left of it.
class ForkCutFailed : public Error {
 public:
  using Error::Error;
  explicit ForkCutFailed(const Error& error) : Error(error) {}
};

// The cut by forks. CRIU writes images without memory (memory::Skeleton); the processes are forked
// before they run on; what their children hold is merged into the images afterwards. Every function
// throws ForkCutFailed.
class MemoryCut {
 public:
  MemoryCut(const engine::Container& container, memory::Skeleton skeleton, StagingPlace place);
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
  const memory::Skeleton skeleton_;
  const StagingPlace place_;
  std::vector<pid_t> processes_;
  std::vector<pid_t> known_;  // pids that the parent's images have
  bool kernel_tracks_changes_ = false;
  memory::ForkCopy copy_;
};

}  // namespace still::cut
