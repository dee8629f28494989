// The cut by write protection: the memory is copied while the container runs, what was written to
// since in the window; what processes share as well. Processes that write too much for that, and
// those that cannot be protected, are forked, as by_fork.h does it; CRIU writes images without
// memory.
#pragma once

#include <optional>

#include "cut/by_fork.h"
#include "cut/memory.h"
#include "memory/fork_copy.h"
#include "memory/precopy.h"

namespace still::cut {

class ProtectionWay : public MemoryWay {
 public:
  ProtectionWay(const ByProtection& choice, const subject::Subject& subject, StagingPlace place);

  void prepare(Cancellation& cancellation) override;
  void catch_up(Cancellation& cancellation) override;
  void before_dump() override;
  void hold() override;
  void after_thaw(Deadline pause_limit) override;
  void keep() override;
  memory::MergeTotals finish(Cancellation& cancellation, Observer& observer) override;

 private:
  const memory::Skeleton skeleton_;
  const bool copies_shared_memory_;
  const std::string no_forks_because_;
  const subject::Subject& subject_;
  const StagingPlace place_;
  subject::Division processes_;
  std::optional<memory::Precopy> precopy_;
  memory::ForkCopy forks_;
  bool has_forks_ = false;
};

}  // namespace still::cut
