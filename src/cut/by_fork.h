// The cut by forks: CRIU writes images without memory (memory::Skeleton), the processes are forked
// before they run on, and what their children hold is merged into the images afterwards.
#pragma once

#include <sys/types.h>

#include <vector>

#include "cut/memory.h"
#include "memory/fork_copy.h"

namespace still::cut {

class ForkWay : public MemoryWay {
 public:
  ForkWay(memory::Skeleton skeleton, const subject::Subject& subject, StagingPlace place);

  void prepare() override;
  void before_dump() override;
  void hold() override;
  void after_thaw(Deadline pause_limit) override;
  void keep() override;
  memory::MergeTotals finish(Cancellation& cancellation, Observer& observer) override;

 private:
  const memory::Skeleton skeleton_;
  const subject::Subject& subject_;
  const StagingPlace place_;
  subject::Division processes_;
  std::vector<pid_t> known_;  // pids that the parent's images have
  bool kernel_tracks_changes_ = false;
  memory::ForkCopy copy_;
};

}  // namespace still::cut
