// The cut by forks: CRIU writes images without memory (memory::Skeleton), the processes are forked
// before they run on, and what their children hold is merged into the images afterwards.
#pragma once

#include <chrono>

#include "cut/memory.h"
#include "cut/skeleton.h"
#include "memory/fork_copy.h"

namespace still::cut {

// How long the threads may take to stop, and the kernel to make a fork of gigabytes.
inline constexpr std::chrono::seconds kTakeTimeout{10};
// As MemoryWay::after_thaw(), of processes that are held.
void take_forks(memory::ForkCopy& copy, Deadline pause_limit);

class ForkWay : public MemoryWay {
 public:
  ForkWay(memory::Skeleton skeleton, const subject::Subject& subject, StagingPlace place);

  void prepare(Cancellation& cancellation) override;
  void before_dump() override;
  void hold() override;
  void after_thaw(Deadline pause_limit) override;
  void keep() override;
  memory::MergeTotals finish(Cancellation& cancellation, Observer& observer) override;

 private:
  const subject::Subject& subject_;
  const StagingPlace place_;
  SkeletonImages skeleton_;
  subject::Division processes_;
  memory::ForkCopy copy_;
};

}  // namespace still::cut
