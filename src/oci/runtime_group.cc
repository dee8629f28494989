#include "oci/runtime_group.h"

#include <signal.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/format.h"
#include "base/log.h"
#include "base/text.h"
#include "os/files.h"
#include "os/process.h"
#include "os/process_status.h"

namespace still::oci {
namespace {

constexpr std::chrono::milliseconds kAskInterval{20};
constexpr std::chrono::milliseconds kRestInterval{1};

// What is stopped for so long has not just been stopped by us (kill_unless_holding()).
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

// How long CRIU may take to let the tasks go when it is not wanted any more.
constexpr std::chrono::milliseconds kTimeToLetGo{200};
constexpr std::chrono::seconds kTimeToAnswer{2};

// Whether it sleeps in the kernel on its way to a file: one that somebody has to permit, of a file
// system that does not answer. That is never between two steps of a change of a task.
bool waits_for_a_file(pid_t pid) {
  constexpr std::array<int64_t, 11> kCalls = {
      SYS_open,   SYS_openat, SYS_stat,     SYS_lstat,      SYS_newfstatat, SYS_statx,
      SYS_statfs, SYS_access, SYS_readlink, SYS_readlinkat, SYS_getdents64};
  const auto text = read_file_if_exists(formatted("/proc/{}/syscall", pid)).value_or("");
  const auto call = parse_integer(text.substr(0, text.find(' ')));
  return call && std::ranges::contains(kCalls, *call);
}

void tell_who_holds(pid_t criu) {
  const auto channel = read_file_if_exists(formatted("/proc/{}/wchan", criu)).value_or("");
  warn(
      formatted("CRIU (process {}) holds the container and does not let it go; it is in state {}, "
                "in the kernel's {}",
                criu, process_status_field(criu, "State").value_or("?"),
                printable(channel.empty() ? "?" : channel)));
}

// Whether CRIU's own code is in one of the tasks that it holds. It is in a mapping of this file.
bool has_code_in_tasks(pid_t criu) {
  constexpr std::string_view kFile = "/memfd:CRIUMFD";
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto pid = parse_integer(entry.path().filename().native());
    if (!pid || tracer_of(static_cast<pid_t>(*pid)) != criu) continue;
    if (read_file_if_exists(entry.path() / "maps").value_or("").contains(kFile)) return true;
  }
  return false;
}

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
    // CRIU holds all tasks of a container together.
    if (tracer_of(container_init_) != 0) hung_at = deadline_in(hang_timeout_);
    stopped.look();
    const bool is_late = std::chrono::steady_clock::now() >= hung_at;
    if (!killed_ && (is_late || unwanted())) killed_ = kill_unless_holding();
  }
}

bool RuntimeGroup::kill_unless_holding() {
  if (!may_be_killed()) {
    // It lets the tasks go when it can; somebody may have stopped it.
    ::kill(-group_, SIGCONT);
    return false;
  }
  // Stopped first: CRIU must not touch the container between the question and the kill.
  ::kill(-group_, SIGSTOP);
  const bool may_be = may_be_killed();
  ::kill(-group_, may_be ? SIGKILL : SIGCONT);
  return may_be;
}

bool RuntimeGroup::may_be_killed() {
  const pid_t tracer = tracer_of(container_init_);
  if (tracer == 0) return true;
  if (!unwanted_since_) unwanted_since_ = std::chrono::steady_clock::now();
  const auto unwanted_for = std::chrono::steady_clock::now() - *unwanted_since_;
  if (unwanted_for < kTimeToLetGo) return false;
  if (waits_for_a_file(tracer) && !has_code_in_tasks(tracer)) return true;
  if (unwanted_for >= kTimeToAnswer && !std::exchange(told_, true)) tell_who_holds(tracer);
  return false;
}

}  // namespace still::oci
