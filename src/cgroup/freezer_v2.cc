#include "cgroup/freezer_v2.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/text.h"
#include "cgroup/files.h"
#include "cgroup/tree.h"
#include "os/files.h"

namespace still::cgroup {
namespace {

// The kernel sends at most one notification of a cgroup in 10 ms, so look more often than that.
constexpr std::chrono::milliseconds kStep{1};

constexpr const char* kFrozen = "frozen 1";

bool says_frozen(std::string_view events) {
  return std::ranges::contains(split(events, '\n'), kFrozen);
}

}  // namespace

FreezerV2::FreezerV2(Fd directory, const std::string& name)
    : Freezer(std::move(directory), name),
      events_(open_at(directory_, "cgroup.events", O_RDONLY)) {}

FreezerState FreezerV2::state() const {
  char buffer[256];
  const ssize_t length = ::pread(events_.get(), buffer, sizeof buffer, 0);
  if (length < 0 && errno == ENODEV) throw cgroup_is_gone(name_);
  if (length < 0) throw Error::system(errno, "cannot read cgroup.events of " + name_);
  const bool frozen = says_frozen({buffer, static_cast<size_t>(length)});
  return {.requested = trim(read("cgroup.freeze")) == "1", .frozen = frozen && all_say_frozen()};
}

bool FreezerV2::all_say_frozen() const {
  bool all = true;
  for_each_cgroup(directory_, [&](const Fd& cgroup) {
    if (all) all = says_frozen(read_if_alive(cgroup, "cgroup.events").value_or(kFrozen));
  });
  return all;
}

void FreezerV2::request(bool frozen) { write("cgroup.freeze", frozen ? "1" : "0"); }

void FreezerV2::wait_for_change(Deadline deadline) {
  const auto step = std::min<std::chrono::nanoseconds>(kStep, deadline - Deadline::clock::now());
  if (step.count() <= 0) return;
  const timespec timeout{.tv_sec = 0, .tv_nsec = step.count()};
  pollfd source{events_.get(), POLLPRI, 0};
  if (::ppoll(&source, 1, &timeout, nullptr) < 0 && errno != EINTR) {
    throw Error::system(errno, "cannot wait for cgroup.events of " + name_);
  }
}

bool FreezerV2::has_frozen_ancestor() const {
  // Above the mount's root there is no cgroup.freeze.
  for (std::string above = "../";; above += "../") {
    const auto control = open_at_if_exists(directory_, above + "cgroup.freeze", O_RDONLY);
    if (!control) return false;
    if (trim(read_all(*control)) == "1") return true;
  }
}

}  // namespace still::cgroup
