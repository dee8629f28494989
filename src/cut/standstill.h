// Containers that stand still in such a way that CRIU can hold all their tasks.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "cgroup/freezer.h"
#include "cut/cancellation.h"
#include "os/clock.h"

namespace still::cut {

class Standstill {
 public:
  // Freezes all of to_freeze, and has the pause begin (Cancellation). A task that waits for a child
  // of vfork(2) or posix_spawn(3) is out of CRIU's reach for as long as that has not executed a
  // program, mostly for less than a millisecond: where the freeze has caught one of `dumped`, which
  // may be frozen by others as well, all are thawed and frozen again when it is over. That is tried
  // for a second at the most. dumped must not hold null. Throws Error(kConflict) when such a one is
  // always there, Error(kTimeout) when the kernel takes longer than freeze_timeout or than the
  // pause may last, and what cancellation does; all are as before then.
  Standstill(std::vector<cgroup::Freezer*> to_freeze, std::vector<cgroup::Freezer*> dumped,
             std::chrono::nanoseconds freeze_timeout, Cancellation& cancellation);
  Standstill(const Standstill&) = delete;
  Standstill& operator=(const Standstill&) = delete;
  // Thaws. Failures are logged.
  ~Standstill();

  // When the freeze that holds was asked for.
  const Instant& requested() const { return requested_; }

  // Thaws what was frozen: all are asked before the first is waited for. Returns when they were
  // asked. Throws Error(kTimeout), Error(kConflict).
  Instant thaw();

 private:
  void freeze(std::chrono::nanoseconds timeout, const Cancellation& cancellation);
  void thaw_as_it_goes() noexcept;
  // Of all that are dumped, in words for people.
  std::vector<std::string> beyond_ptrace() const;
  void wait_for_reach(Deadline deadline, Cancellation& cancellation) const;

  const std::vector<cgroup::Freezer*> to_freeze_;
  const std::vector<cgroup::Freezer*> dumped_;
  std::vector<cgroup::Freezer*> frozen_;
  std::vector<std::string> caught_;  // by the last freeze, out of reach
  Instant requested_;
};

}  // namespace still::cut
