#include "cgroup/freezer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <ranges>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "base/text.h"
#include "cgroup/files.h"
#include "cgroup/freezer_v1.h"
#include "cgroup/freezer_v2.h"
#include "cgroup/tasks.h"
#include "os/files.h"

namespace still::cgroup {
namespace {

std::unique_ptr<Freezer> make_freezer(const Location& location, Fd directory) {
  const char* control = location.version == Version::kV1 ? "freezer.state" : "cgroup.freeze";
  if (!stat_at(directory, control)) {
    throw Error(ErrorKind::kUnsupported, "the cgroup " + printable(location.path) +
                                             " cannot be frozen: it has no " + control);
  }
  if (location.version == Version::kV1) {
    return std::make_unique<FreezerV1>(std::move(directory), location.path);
  }
  return std::make_unique<FreezerV2>(std::move(directory), location.path);
}

constexpr size_t kNamedTasks = 5;

std::vector<std::string> name_some(const std::vector<Task>& tasks) {
  std::vector<std::string> names;
  for (const Task& task : tasks | std::views::take(kNamedTasks)) names.push_back(describe(task));
  return names;
}

Error did_not_freeze(const std::string& cgroup, const std::vector<Task>& tasks) {
  const auto names = name_some(tasks);
  return {ErrorKind::kTimeout,
          "the cgroup " + cgroup + " did not freeze in time, " +
              (names.empty() ? "and its tasks have gone" : "not frozen: " + join(names, "; ")),
          "a task in uninterruptible sleep (on a FUSE or network file system, a device) cannot be "
          "frozen: try again when it is done"};
}

}  // namespace

Freezer::Freezer(Fd directory, const std::string& name)
    : directory_(std::move(directory)), name_(printable(name)) {}

std::unique_ptr<Freezer> Freezer::open(const Location& location) {
  auto directory = open_if_exists(location.directory, O_RDONLY | O_DIRECTORY);
  if (!directory) throw cgroup_is_gone(printable(location.path));
  auto freezer = make_freezer(location, std::move(*directory));
  if (std::ranges::contains(freezer->processes(), ::getpid())) {
    throw Error(ErrorKind::kConflict, "the cgroup " + printable(location.path) +
                                          " cannot be frozen: still itself runs in it");
  }
  return freezer;
}

void Freezer::freeze(Deadline deadline) {
  const FreezerState before = state();
  std::vector<Task> unfrozen;
  try {
    if (!before.requested) request(true);
    if (wait_until(&FreezerState::frozen, deadline)) return;
    unfrozen = unfrozen_tasks(directory_, thread_list());
  } catch (...) {
    undo(before);
    throw;
  }
  undo(before);
  // Thawed, only the guilty ones are still asleep like that.
  const auto guilty = still_uninterruptible(unfrozen);
  throw did_not_freeze(name_, guilty.empty() ? unfrozen : guilty);
}

bool Freezer::stays_frozen(Deadline deadline) {
  bool frozen = false;
  const auto decided = [&](const FreezerState& state) {
    frozen = state.frozen;
    return state.frozen || !state.requested;
  };
  wait_until(decided, deadline);
  return frozen;
}

void Freezer::thaw(Deadline deadline) {
  request(false);
  if (!state().frozen) return;
  if (has_frozen_ancestor()) {
    throw Error(ErrorKind::kConflict,
                "the cgroup " + name_ + " stays frozen because a cgroup above it is frozen");
  }
  const auto thawed = [](const FreezerState& state) { return !state.frozen; };
  if (wait_until(thawed, deadline)) return;
  throw Error(ErrorKind::kTimeout, "the cgroup " + name_ + " did not thaw in time");
}

std::vector<std::string> Freezer::beyond_ptrace() const {
  // Far more than a frozen task needs for its last steps to where it sleeps.
  constexpr std::chrono::milliseconds kLastSteps{50};
  const auto asleep_by = state().frozen ? deadline_in(kLastSteps) : Deadline();
  return name_some(tasks_in_vfork(directory_, thread_list(), asleep_by));
}

std::vector<pid_t> Freezer::processes() const { return list_ids(directory_, "cgroup.procs"); }

ino_t Freezer::inode() const { return stat_fd(directory_).st_ino; }

std::filesystem::path Freezer::directory() const {
  return std::filesystem::read_symlink(formatted("/proc/self/fd/{}", directory_.get()));
}

std::string Freezer::read(const std::string& file) const {
  return read_cgroup_file(directory_, file, name_);
}

void Freezer::write(const std::string& file, std::string_view value) const {
  write_cgroup_file(directory_, file, value, name_);
}

bool Freezer::wait_until(const std::function<bool(const FreezerState&)>& reached,
                         Deadline deadline) {
  for (;;) {
    // The clock is read before the state: what holds at the deadline counts.
    const bool late = std::chrono::steady_clock::now() >= deadline;
    if (reached(state())) return true;
    if (late) return false;
    wait_for_change(deadline);
  }
}

void Freezer::undo(const FreezerState& before) noexcept try {
  if (!before.requested) request(false);
} catch (const std::exception& error) {
  warn("cannot thaw the cgroup " + name_ + " again: " + error.what());
} catch (...) {  // nothing that we or the library throw
}

}  // namespace still::cgroup
