// The OCI runtime and CRIU during a checkpoint: one process group, waited for by whoever watches
// it, never killed while CRIU changes tasks. A CRIU that is killed in the middle of its parasite
// code can break the container.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>

#include "os/clock.h"

namespace still::oci {

class RuntimeGroup {
 public:
  // Waits for the end of the group's leader, at most until the deadline; whether it has ended.
  using LeaderWait = std::function<bool(Deadline)>;

  // hang_timeout: how long the group may live without any task of the container being traced,
  // before it counts as hung.
  RuntimeGroup(pid_t group, pid_t container_init, std::chrono::nanoseconds hang_timeout,
               LeaderWait wait_for_leader);

  // Returns when no process of the group is alive: CRIU may live on when the runtime was killed,
  // and would freeze the container again at its end. A group that hangs, or is not wanted any more,
  // is killed as soon as no task is traced; until then it is waited for without limit. A process of
  // it that somebody has stopped (SIGSTOP) is named in a warning, and sent on, within a second or
  // so: the container stands still as long as it does. One exception: a CRIU that is not wanted any
  // more and waits for a file is killed if its code is in no task: the kernel lets them go then. A
  // CRIU that does not answer otherwise is named in a warning.
  // unwanted: asked every few milliseconds.
  void wait(const std::function<bool()>& unwanted = [] { return false; });

  // Whether wait() has killed it.
  bool was_killed() const { return killed_; }

 private:
  // Whether it did.
  bool kill_unless_holding();
  bool may_be_killed();

  const pid_t group_;
  const pid_t container_init_;
  const std::chrono::nanoseconds hang_timeout_;
  const LeaderWait wait_for_leader_;
  std::optional<std::chrono::steady_clock::time_point> unwanted_since_;  // while it holds tasks
  bool told_ = false;  // the user, of a CRIU that does not let go
  bool killed_ = false;
};

}  // namespace still::oci
