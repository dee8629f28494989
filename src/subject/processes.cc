#include "subject/processes.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <optional>
#include <ranges>
#include <set>
#include <string>
#include <thread>

#include "base/format.h"
#include "base/text.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/process_status.h"

namespace still::subject {
namespace {

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    if (const auto pid = parse_integer(entry.path().filename().native())) {
      pids.push_back(static_cast<pid_t>(*pid));
    }
  }
  return pids;
}

// How long to wait for a process to stop: one that waits in the kernel does so later.
constexpr std::chrono::milliseconds kStopTimeout{500};
constexpr std::chrono::milliseconds kPollInterval{1};

// Stopped, traced, or as good as gone: it makes no more children.
bool stands_still(pid_t pid) {
  const auto stat = process_stat(pid);
  return !stat || std::string_view("TtZX").contains(stat->state);
}

void stop(pid_t pid) {
  const Deadline deadline = deadline_in(kStopTimeout);
  if (::kill(pid, SIGSTOP) != 0) return;
  while (!stands_still(pid) && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kPollInterval);
  }
}

std::map<pid_t, pid_t> all_parents() {
  std::map<pid_t, pid_t> parents;
  for (const pid_t pid : all_processes()) {
    if (const auto stat = process_stat(pid)) parents[pid] = stat->parent;
  }
  return parents;
}

bool descends(pid_t pid, pid_t ancestor, const std::map<pid_t, pid_t>& parents) {
  // Numbers that are used again while they are read could make a circle.
  for (size_t steps = 0; steps <= parents.size(); ++steps) {
    if (pid == ancestor) return true;
    const auto found = parents.find(pid);
    if (found == parents.end()) return false;
    pid = found->second;
  }
  return false;
}

// 0 if it has ended.
ino_t pid_namespace_of(pid_t pid) {
  struct stat status{};
  const std::string path = formatted("/proc/{}/ns/pid", pid);
  return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

}  // namespace

std::vector<pid_t> processes_of(pid_t init, const cgroup::Freezer* freezer) {
  const auto parents = all_parents();
  const ino_t pid_namespace = pid_namespace_of(init);
  std::set<pid_t> found;
  for (const auto& [pid, parent] : parents) {
    const bool inside = pid_namespace != 0 && pid_namespace_of(pid) == pid_namespace;
    if (inside || descends(pid, init, parents)) found.insert(pid);
  }
  if (freezer != nullptr) {
    const auto in_cgroup = freezer->processes();
    found.insert(in_cgroup.begin(), in_cgroup.end());
  }
  found.erase(init);
  std::vector<pid_t> result = {init};
  result.insert(result.end(), found.begin(), found.end());
  return result;
}

std::string command_of(pid_t process) {
  const auto name = read_file_if_exists(formatted("/proc/{}/comm", process));
  return printable(trim(name.value_or("?")));
}

std::vector<std::string> describe(const std::vector<pid_t>& processes) {
  std::vector<std::string> words;
  for (const pid_t pid : processes) words.push_back(formatted("{} ({})", pid, command_of(pid)));
  return words;
}

std::string arguments_of(pid_t process) {
  return read_file_if_exists(formatted("/proc/{}/cmdline", process)).value_or("");
}

bool has_descendant(pid_t process, const std::function<bool(const std::string&)>& wanted) {
  const auto parents = all_parents();
  return std::ranges::any_of(parents | std::views::keys, [&](pid_t pid) {
    return pid != process && descends(pid, process, parents) && wanted(arguments_of(pid));
  });
}

void kill_with_descendants(pid_t process) {
  std::vector<pid_t> all = {process};
  for (size_t i = 0; i < all.size(); ++i) {
    stop(all[i]);
    for (const auto& [pid, parent] : all_parents()) {
      if (parent == all[i] && !std::ranges::contains(all, pid)) all.push_back(pid);
    }
  }
  for (const pid_t pid : all) ::kill(pid, SIGKILL);
}

std::vector<pid_t> foreign_among(const std::vector<pid_t>& processes, pid_t init,
                                 const std::map<pid_t, pid_t>& parents) {
  std::vector<pid_t> foreign;
  for (const pid_t pid : processes) {
    if (parents.contains(pid) && !descends(pid, init, parents)) foreign.push_back(pid);
  }
  return foreign;
}

Division divide(const std::vector<pid_t>& processes, pid_t init) {
  std::map<pid_t, pid_t> parents;
  std::vector<pid_t> living;
  for (const pid_t pid : processes) {
    const auto stat = process_stat(pid);
    if (!stat || stat->has_ended()) continue;
    living.push_back(pid);
    for (pid_t one = pid; one != init && !parents.contains(one);) {
      const auto of_one = process_stat(one);
      if (!of_one) break;
      parents[one] = of_one->parent;
      one = of_one->parent;
    }
  }
  parents.emplace(init, 0);
  Division division{.tree = {}, .sessions = foreign_among(living, init, parents)};
  for (const pid_t pid : living) {
    if (!std::ranges::contains(division.sessions, pid)) division.tree.push_back(pid);
  }
  return division;
}

}  // namespace still::subject
