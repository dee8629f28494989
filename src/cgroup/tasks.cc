#include "cgroup/tasks.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "base/format.h"
#include "base/text.h"
#include "cgroup/files.h"
#include "cgroup/tree.h"
#include "os/files.h"

namespace still::cgroup {
namespace {

// Where tasks sleep that count as frozen: v1's refrigerator; v2's trap, which is part of signal
// delivery (and inlined into get_signal by some compilers); and stops, which v2 counts as frozen.
constexpr std::array<std::string_view, 5> kFrozenIn = {
    "__refrigerator", "do_freezer_trap", "get_signal", "ptrace_stop", "do_signal_stop"};

void append_ids(const Fd& directory, const std::string& file, std::vector<pid_t>& ids) {
  for (const std::string& line : split(read_if_alive(directory, file).value_or(""), '\n')) {
    const auto id = parse_integer(line);
    if (id && *id > 0) ids.push_back(static_cast<pid_t>(*id));
  }
}

std::optional<Task> look_at(pid_t pid) {
  const auto directory = open_if_exists(formatted("/proc/{}", pid), O_RDONLY | O_DIRECTORY);
  if (!directory) return std::nullopt;
  const auto command = read_if_alive(*directory, "comm");
  const auto stat = read_if_alive(*directory, "stat");
  if (!command || !stat) return std::nullopt;
  const size_t end_of_command = stat->rfind(')');  // the command itself may hold any character
  if (end_of_command == std::string::npos || end_of_command + 2 >= stat->size()) {
    return std::nullopt;
  }
  std::string channel = read_if_alive(*directory, "wchan").value_or("");
  if (channel == "0") channel.clear();
  return Task{.pid = pid,
              .command = std::string(trim(*command)),
              .state = (*stat)[end_of_command + 2],
              .wait_channel = std::move(channel)};
}

bool is_frozen(const Task& task) { return std::ranges::contains(kFrozenIn, task.wait_channel); }

// The number of the system call that the task sleeps in (proc_pid_syscall(5)); nullopt for one that
// has gone, where the kernel does not say, and for one that still runs at the deadline.
std::optional<int64_t> system_call_of(pid_t tid, Deadline deadline) {
  for (;;) {
    const std::string text = read_file_if_exists(formatted("/proc/{}/syscall", tid)).value_or("");
    if (!text.starts_with("running") || std::chrono::steady_clock::now() >= deadline) {
      return parse_integer(text.substr(0, text.find(' ')));
    }
    std::this_thread::yield();
  }
}

// A task that has made a child and is frozen on its way back still has the number of the call, but
// sleeps elsewhere (kFrozenIn).
bool makes_children(int64_t system_call) {
  constexpr int64_t kClone32 = 120;  // asm/unistd_32.h
  constexpr int64_t kVfork32 = 190;
  constexpr std::array<int64_t, 5> kCalls = {SYS_vfork, SYS_clone, SYS_clone3, kClone32, kVfork32};
  return std::ranges::contains(kCalls, system_call);
}

bool is_dead(const Task& task) { return task.state == 'Z' || task.state == 'X'; }

}  // namespace

std::string describe(const Task& task) {
  std::string text = formatted("{} ({}, state {}", task.pid, printable(task.command), task.state);
  if (!task.wait_channel.empty()) text += ", in " + task.wait_channel;
  return text + ")";
}

std::vector<pid_t> list_ids(const Fd& directory, const std::string& file) {
  std::vector<pid_t> ids;
  for_each_cgroup(directory, [&](const Fd& cgroup) { append_ids(cgroup, file, ids); });
  std::ranges::sort(ids);
  return ids;
}

std::vector<Task> unfrozen_tasks(const Fd& directory, const std::string& thread_list) {
  std::vector<Task> found;
  for (const pid_t pid : list_ids(directory, thread_list)) {
    auto task = look_at(pid);
    if (task && !is_frozen(*task) && !is_dead(*task)) found.push_back(std::move(*task));
  }
  return found;
}

std::vector<Task> tasks_in_vfork(const Fd& directory, const std::string& thread_list,
                                 Deadline asleep_by) {
  std::vector<Task> found;
  for (const pid_t tid : list_ids(directory, thread_list)) {
    // The container stands still meanwhile: this alone is asked of most.
    if (!makes_children(system_call_of(tid, asleep_by).value_or(-1))) continue;
    auto task = look_at(tid);
    if (task && task->state == 'D' && !is_frozen(*task)) found.push_back(std::move(*task));
  }
  return found;
}

std::vector<Task> still_uninterruptible(const std::vector<Task>& tasks) {
  std::vector<Task> found;
  for (const Task& task : tasks) {
    const auto now = look_at(task.pid);
    if (task.state == 'D' && now && now->state == 'D') found.push_back(*now);
  }
  return found;
}

}  // namespace still::cgroup
