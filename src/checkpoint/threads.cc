#include "checkpoint/threads.h"

#include <linux/kcmp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/format.h"
#include "os/process_status.h"
#include "os/tasks.h"

namespace still::checkpoint {
namespace {

// Links in /proc/PID/ns (namespaces(7)), and how they are called.
using Namespaces = std::array<std::pair<std::string_view, std::string_view>, 8>;
constexpr Namespaces kOfProcesses = {{{"user", "a user namespace"},
                                      {"uts", "a uts namespace"},
                                      {"ipc", "an ipc namespace"},
                                      {"net", "a network namespace"},
                                      {"pid", "a pid namespace"},
                                      {"time", "a time namespace"},
                                      {"time_for_children", "a time namespace for its children"},
                                      {"cgroup", "a cgroup namespace"}}};
constexpr std::pair<std::string_view, std::string_view> kMountNamespace = {"mnt",
                                                                           "a mount namespace"};

// nullopt: the task has ended, or the kernel has no such namespaces.
std::optional<ino_t> namespace_of(std::string_view task, std::string_view name) {
  struct stat status{};
  const std::string link = formatted("{}/ns/{}", task, name);
  return ::stat(link.c_str(), &status) == 0 ? std::optional(status.st_ino) : std::nullopt;
}

bool differ(std::string_view one, std::string_view other, std::string_view name) {
  const auto of_one = namespace_of(one, name);
  const auto of_other = namespace_of(other, name);
  return of_one && of_other && *of_one != *of_other;
}

// Empty: it has none of its own.
std::string_view own_namespace(std::string_view task, std::string_view other) {
  for (const auto& [name, words] : kOfProcesses) {
    if (differ(task, other, name)) return words;
  }
  return {};
}

// A thread gives back what it shares when it ends, and is marked before.
bool is_ending(pid_t thread) {
  const auto stat = process_stat(thread);
  return !stat || stat->is_ending();
}

// kcmp(2): the kernel's order of two objects; false also where it cannot tell.
bool is_unshared(pid_t thread, pid_t process, int what) {
  return ::syscall(SYS_kcmp, thread, process, what, 0, 0) > 0 && !is_ending(thread);
}

std::string_view own_of_thread(pid_t thread, pid_t process) {
  if (is_unshared(thread, process, KCMP_FILES)) return "a table of descriptors";
  if (is_unshared(thread, process, KCMP_FS)) return "a working directory, root or umask";
  const std::string own = formatted("/proc/{}/task/{}", process, thread);
  const std::string whole = formatted("/proc/{}", process);
  if (differ(own, whole, kMountNamespace.first)) return kMountNamespace.second;
  return own_namespace(own, whole);
}

}  // namespace

std::optional<Separate> find_separate(const std::vector<pid_t>& processes) {
  std::optional<Separate> found;
  const auto note = [&](pid_t task, std::string_view words) {
    if (!found && !words.empty()) {
      found = {.task = task, .words = std::string(words)};
    }
  };
  for (const pid_t pid : processes) {
    note(pid, own_namespace(formatted("/proc/{}", pid), formatted("/proc/{}", processes.front())));
    for (const pid_t thread : threads_of(pid)) {
      if (!found && thread != pid) note(thread, own_of_thread(thread, pid));
    }
    if (found) break;
  }
  return found;
}

}  // namespace still::checkpoint
