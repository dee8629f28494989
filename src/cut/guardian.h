// The small process that thaws a container whatever happens to still.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <vector>

#include "cgroup/freezer.h"
#include "os/fd.h"
#include "os/process.h"

namespace still::cut {

// A runtime that takes a checkpoint.
struct WardedRuntime {
  const HeldChild* process = nullptr;
  pid_t init = 0;  // of the container
};

// What a guardian guards.
struct Ward {
  std::vector<cgroup::Freezer*> freezers;   // that we freeze, and it thaws
  std::vector<WardedRuntime> runtimes;      // that it waits for
  std::chrono::nanoseconds hang_timeout{};  // as oci::RuntimeGroup
};

// In its own session, with our open descriptors of the freezers (the paths may come to mean
// something else), and with our locks: they stay taken until it has done its work. When we end
// without a word, by SIGKILL, it waits until the runtimes' process groups have ended by themselves,
// then thaws, and ends.
// It also looks whether we are stopped (SIGSTOP, the freeze of our cgroup). When we have been for
// half a second while the containers stand still it thaws them in the same way, and the checkpoint
// is to be given up (has_intervened()); when we hold tasks by ptrace(2), which only our end lets
// go, it kills us.
class Guardian {
 public:
  // Returns when it is on guard. To be called while no other thread runs. Throws Error(kSystem).
  explicit Guardian(const Ward& ward);
  Guardian(const Guardian&) = delete;
  Guardian& operator=(const Guardian&) = delete;
  // Ends it, also when it is stopped: all is thawed again. Returns when it has ended.
  ~Guardian();

  pid_t pid() const { return running_.pid; }

  // Whether it has thawed because we were stopped: what was cut is of no one instant then.
  bool has_intervened() const;
  // All is thawed: from here on it looks only whether we are stopped while we hold tasks. Returns
  // when it has closed what it has of ours, locks among them.
  void release() const;

 private:
  struct Running {
    Fd channel;
    pid_t pid;
  };
  static Running start(const Ward& ward);
  void wait_for_end() const noexcept;

  const Running running_;
};

}  // namespace still::cut
