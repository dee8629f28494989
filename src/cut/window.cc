#include "cut/window.h"

#include <algorithm>
#include <future>
#include <list>
#include <utility>

#include "base/error.h"
#include "base/hooks.h"
#include "criu/gate.h"
#include "cut/standstill.h"

namespace still::cut {
namespace {

constexpr std::chrono::seconds kSettleTimeout{1};

std::vector<cgroup::Freezer*> not_frozen_yet(const std::vector<Member>& members) {
  std::vector<cgroup::Freezer*> result;
  for (const Member& member : members) {
    if (member.freezer != nullptr && !member.freezer->state().requested) {
      result.push_back(member.freezer);
    }
  }
  return result;
}

// Those whose tasks CRIU will hold.
std::vector<cgroup::Freezer*> dumped_freezers(const std::vector<Member>& members) {
  std::vector<cgroup::Freezer*> result;
  for (const Member& member : members) {
    if (member.dump && member.freezer != nullptr) result.push_back(member.freezer);
  }
  return result;
}

std::vector<HeldRuntime> prepare_runtimes(const std::vector<Member>& members) {
  std::vector<HeldRuntime> runtimes;
  for (const Member& member : members) {
    if (member.dump) runtimes.emplace_back(member.dump->runtime, member.dump->command);
  }
  return runtimes;
}

std::vector<WardedRuntime> wards(const std::vector<HeldRuntime>& runtimes,
                                 const std::vector<Member>& members) {
  std::vector<WardedRuntime> result;
  for (const Member& member : members) {
    if (!member.dump) continue;
    result.push_back({.process = &runtimes[result.size()].process(), .init = member.dump->init});
  }
  return result;
}

// Cuts the trees beside the dumps, and watches them until those are done.
class TreeThread {
 public:
  TreeThread(const std::vector<Captured>& captured, const Instant& frozen)
      : capture_(std::async(std::launch::async, [&captured, frozen, stop = stop_.get_token()] {
          for (const Captured& one : captured) one.trees.cut(frozen);
          const auto took = Instant::now() - frozen;
          for (const Captured& one : captured) one.trees.watch(stop);
          return took;
        })) {}
  TreeThread(const TreeThread&) = delete;
  TreeThread& operator=(const TreeThread&) = delete;
  ~TreeThread() { stop_.request_stop(); }

  // How long the cut took. Throws what it has thrown.
  std::chrono::nanoseconds finish() {
    stop_.request_stop();
    return capture_.get();
  }

 private:
  std::stop_source stop_;
  std::future<std::chrono::nanoseconds> capture_;  // its destructor waits
};

// Whatever ends the window, the container does not stand still any more.
class PauseEnd {
 public:
  explicit PauseEnd(Cancellation& cancellation) : cancellation_(cancellation) {}
  PauseEnd(const PauseEnd&) = delete;
  PauseEnd& operator=(const PauseEnd&) = delete;
  ~PauseEnd() { cancellation_.pause_ends(); }

 private:
  Cancellation& cancellation_;
};

}  // namespace

std::chrono::nanoseconds Cut::pause() const {
  return was_frozen ? earlier + (thawed - freeze_requested) : dump_end - dump_start;
}

// A runtime's checkpoint that is going on. At its end a CRIU that waits gives up, then the runtime
// is waited for.
class Window::Dumping {
 public:
  Dumping(HeldRuntime runtime, const Dump& dump, std::chrono::nanoseconds hang_timeout)
      : held_(std::move(runtime)), init_(dump.init), hang_timeout_(hang_timeout) {
    if (!dump.gate.empty()) gate_.emplace(dump.gate);
  }

  // Starts what can be done before the freeze, up to CRIU's first touch of the container.
  void get_ready(const Unwanted& unwanted) {
    if (!gate_) return;
    start();
    watch_->wait_until_ready(*gate_, unwanted);
    hooks::reached("ready");
  }
  // deadline: by then the container must have been let go.
  void go_on(Deadline deadline) {
    if (gate_) {
      gate_->open(deadline);
    } else {
      start();
    }
  }
  void wait(const Unwanted& unwanted) {
    watch_->wait([&] {
      const bool is_unwanted = unwanted();
      if (is_unwanted && gate_) gate_->close();
      return is_unwanted;
    });
  }

 private:
  void start() { watch_.emplace(std::move(held_), init_, hang_timeout_); }

  HeldRuntime held_;
  const pid_t init_;
  const std::chrono::nanoseconds hang_timeout_;
  std::optional<RuntimeWatch> watch_;
  std::optional<criu::CriuGate> gate_;
};

Window::Window(std::vector<Member> members, const WindowTimeouts& timeouts)
    : members_(std::move(members)),
      timeouts_(timeouts),
      to_freeze_(not_frozen_yet(members_)),
      runtimes_(prepare_runtimes(members_)),
      guardian_(std::in_place, Ward{.freezers = to_freeze_,
                                    .runtimes = wards(runtimes_, members_),
                                    .hang_timeout = timeouts_.runtime}) {}

std::vector<pid_t> Window::runtimes() const {
  std::vector<pid_t> pids;
  for (const HeldRuntime& runtime : runtimes_) pids.push_back(runtime.process().pid());
  return pids;
}

// Of the members that are dumped: whether the others can be frozen does not matter.
bool Window::all_stand_still() const {
  return std::ranges::all_of(members_, [](const Member& member) {
    return !member.dump || (member.freezer != nullptr && member.freezer->state().frozen);
  });
}

// After the runtimes have let the tasks go: they may be on their way back into the freezer.
void Window::check_still_frozen() const {
  for (const Member& member : members_) {
    if (member.freezer == nullptr) continue;
    if (member.freezer->stays_frozen(deadline_in(kSettleTimeout))) continue;
    throw Error(ErrorKind::kRuntime,
                "the container was thawed while it was being captured; the checkpoint is discarded",
                "do not unpause a container during its checkpoint");
  }
}

// The guardian says so before it thaws; what has been held by then has not run since.
void Window::check_not_let_go() const {
  if (!guardian_->has_intervened()) return;
  throw Error(ErrorKind::kConflict,
              "still was stopped while the container stood still, which was let go therefore; the "
              "checkpoint is discarded",
              "do not stop a command that takes a checkpoint");
}

Cut Window::run(const std::vector<Captured>& captured, Cancellation& cancellation,
                Observer& observer) {
  Cut cut;
  const Unwanted unwanted = [&] { return cancellation.poll(); };
  const PauseEnd pause_end(cancellation);
  // In this order, so that on every way out the runtimes have ended before all is thawed.
  std::optional<Standstill> standstill;
  std::list<Dumping> dumps;
  for (const Member& member : members_) {
    if (!member.dump) continue;
    dumps.emplace_back(std::move(runtimes_[dumps.size()]), *member.dump, timeouts_.runtime);
  }
  try {
    for (Dumping& dump : dumps) dump.get_ready(unwanted);
  } catch (const Error&) {
    cancellation.check();  // then it is a consequence
    throw;
  }

  standstill.emplace(to_freeze_, dumped_freezers(members_), timeouts_.freeze, cancellation);
  cut.freeze_requested = standstill->requested();
  cut.earlier = cancellation.paused();
  cut.was_frozen = all_stand_still();
  cut.frozen = Instant::now();
  observer.step_finished(Step::kFreeze, cut.frozen - cut.freeze_requested);
  hooks::reached("frozen");
  try {
    for (const Captured& one : captured) one.memory.before_dump();
    cut.dump_start = Instant::now();
    for (Dumping& dump : dumps) dump.go_on(cancellation.pause_limit());
    TreeThread trees(captured, cut.frozen);
    hooks::reached("dumping");
    for (Dumping& dump : dumps) dump.wait(unwanted);
    cut.dump_end = Instant::now();
    hooks::reached("dumped");
    cut.capture = trees.finish();
    for (const Captured& one : captured) one.trees.end();
    cut.cut_end = Instant::now();
    hooks::reached("cut");
    if (cut.was_frozen) check_still_frozen();
    const auto hold_start = Instant::now();
    for (const Captured& one : captured) one.memory.hold();
    cut.fork = Instant::now() - hold_start;
    hooks::reached("held");
    check_not_let_go();
  } catch (const Error&) {
    check_not_let_go();               // then it is a consequence
    if (!cancellation.poll()) throw;  // otherwise it is a consequence
    dumps.clear();
  }
  cut.thawed = standstill->thaw();
  if (!cancellation.poll()) {
    try {
      for (const Captured& one : captured) one.memory.after_thaw(cancellation.pause_limit());
    } catch (const Error&) {
      if (!cancellation.poll()) throw;  // otherwise it is a consequence
    }
    const auto runs_on = Instant::now();
    cut.fork += runs_on - cut.thawed;
    cut.thawed = runs_on;
  }
  cancellation.pause_ends();
  cancellation.check_pause();

  observer.step_finished(Step::kDump, cut.dump_end - cut.dump_start);
  observer.step_finished(Step::kCapture, cut.capture);
  observer.step_finished(Step::kThaw, cut.thawed - cut.cut_end);
  return cut;
}

}  // namespace still::cut
