#include "oci/runtime_group.h"

#include <signal.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "base/format.h"
#include "base/log.h"
#include "base/text.h"
#include "os/process.h"
#include "os/process_status.h"

namespace still::oci {
namespace {

constexpr std::chrono::milliseconds kAskInterval{20};
constexpr std::chrono::milliseconds kRestInterval{1};

// What is stopped for so long has not just been stopped by us (kill_unless_tracing()).
constexpr std::chrono::milliseconds kLookInterval{500};

// Finds processes of a group that stay stopped.
class StoppedOnes {
 public:
  explicit StoppedOnes(pid_t group) : group_(group) {}

  // To be called often. Sends those on that were stopped at the last look, too.
  void look() {
    if (std::chrono::steady_clock::now() < next_) return;
    next_ = deadline_in(kLookInterval);
    const auto stopped = stopped_processes(group_);
    for (const pid_t pid : stopped) {
      if (!std::ranges::contains(before_, pid)) continue;
      const std::string name = process_status_field(pid, "Name").value_or("?");
      warn(formatted(
          "somebody has stopped process {} ({}), and the container with it; it is sent on", pid,
          printable(name)));
      ::kill(pid, SIGCONT);
    }
    before_ = stopped;
  }

 private:
  const pid_t group_;
  Deadline next_ = deadline_in(kLookInterval);
  std::vector<pid_t> before_;
};

// Whether a tracer (CRIU) holds the process. All tasks of a container are held together.
bool is_traced(pid_t pid) { return process_status_field(pid, "TracerPid").value_or("0") != "0"; }

}  // namespace

RuntimeGroup::RuntimeGroup(pid_t group, pid_t container_init, std::chrono::nanoseconds hang_timeout,
                           LeaderWait wait_for_leader)
    : group_(group),
      container_init_(container_init),
      hang_timeout_(hang_timeout),
      wait_for_leader_(std::move(wait_for_leader)) {}

void RuntimeGroup::wait(const std::function<bool()>& unwanted) {
  Deadline hung_at = deadline_in(hang_timeout_);
  StoppedOnes stopped(group_);
  for (;;) {
    const bool leader_has_ended = wait_for_leader_(std::min(hung_at, deadline_in(kAskInterval)));
    if (leader_has_ended) {
      if (!group_is_alive(group_)) return;
      std::this_thread::sleep_for(kRestInterval);
    }
    if (is_traced(container_init_)) hung_at = deadline_in(hang_timeout_);
    stopped.look();
    const bool is_late = std::chrono::steady_clock::now() >= hung_at;
    if (!killed_ && (is_late || unwanted())) killed_ = kill_unless_tracing();
  }
}

bool RuntimeGroup::kill_unless_tracing() {
  // Stopped first: CRIU must not seize the container between the question and the kill.
  ::kill(-group_, SIGSTOP);
  const bool idle = !is_traced(container_init_);
  ::kill(-group_, idle ? SIGKILL : SIGCONT);
  return idle;
}

}  // namespace still::oci
