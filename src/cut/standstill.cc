#include "cut/standstill.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "base/text.h"

namespace still::cut {
namespace {

constexpr std::chrono::seconds kThawTimeout{10};

// How long a freeze is tried in which no task waits for a child of vfork(2). A program that spawns
// without a rest, and needs as long for each child as it rests, is caught at every second try.
constexpr std::chrono::seconds kReachTimeout{1};
// Between two looks; half of a time that such a child usually takes.
constexpr std::chrono::microseconds kLookInterval{300};

Error out_of_reach(const std::vector<std::string>& tasks) {
  return {ErrorKind::kConflict,
          formatted("CRIU cannot stop a task that waits for a child of vfork (or posix_spawn), and "
                    "there was always one for {}: {}",
                    human_duration(kReachTimeout), join(tasks, "; ")),
          "try again when fewer programs are started in the container"};
}

}  // namespace

Standstill::Standstill(std::vector<cgroup::Freezer*> to_freeze,
                       std::vector<cgroup::Freezer*> dumped,
                       std::chrono::nanoseconds freeze_timeout, Cancellation& cancellation)
    : to_freeze_(std::move(to_freeze)), dumped_(std::move(dumped)) {
  for (const Deadline deadline = deadline_in(kReachTimeout);;) {
    wait_for_reach(deadline, cancellation);
    requested_ = Instant::now();
    cancellation.pause_begins();
    try {
      freeze(freeze_timeout, cancellation);
      caught_ = beyond_ptrace();
      if (caught_.empty()) return;
      thaw();
    } catch (...) {
      thaw_as_it_goes();
      cancellation.pause_ends();
      throw;
    }
    cancellation.pause_ends();
    cancellation.check_pause();
  }
}

Standstill::~Standstill() { thaw_as_it_goes(); }

void Standstill::freeze(std::chrono::nanoseconds timeout, const Cancellation& cancellation) {
  for (cgroup::Freezer* freezer : to_freeze_) {
    freezer->freeze(std::min(deadline_in(timeout), cancellation.pause_limit()));
    frozen_.push_back(freezer);
  }
}

Instant Standstill::thaw() {
  for (cgroup::Freezer* freezer : frozen_) freezer->request(false);
  const Instant asked = Instant::now();
  for (const Deadline deadline = deadline_in(kThawTimeout); !frozen_.empty(); frozen_.pop_back()) {
    frozen_.back()->thaw(deadline);
  }
  return asked;
}

void Standstill::thaw_as_it_goes() noexcept {
  const auto frozen = std::exchange(frozen_, {});
  const auto for_each = [&](const auto& work) {
    for (cgroup::Freezer* freezer : frozen) {
      try {
        work(*freezer);
      } catch (const std::exception& error) {
        log(LogLevel::kError, error.what());
      }
    }
  };
  for_each([](cgroup::Freezer& freezer) { freezer.request(false); });
  for_each([](cgroup::Freezer& freezer) { freezer.thaw(deadline_in(kThawTimeout)); });
}

std::vector<std::string> Standstill::beyond_ptrace() const {
  std::vector<std::string> tasks;
  for (const cgroup::Freezer* freezer : dumped_) {
    for (std::string& task : freezer->beyond_ptrace()) tasks.push_back(std::move(task));
  }
  return tasks;
}

void Standstill::wait_for_reach(Deadline deadline, Cancellation& cancellation) const {
  for (;;) {
    const auto tasks = beyond_ptrace();
    if (std::chrono::steady_clock::now() >= deadline) {
      throw out_of_reach(tasks.empty() ? caught_ : tasks);
    }
    if (tasks.empty()) return;
    cancellation.check();
    std::this_thread::sleep_for(kLookInterval);
  }
}

}  // namespace still::cut
