#include "cut/window.h"

#include <algorithm>
#include <future>
#include <list>
#include <utility>

#include "base/error.h"
#include "base/hooks.h"
#include "base/log.h"
#include "criu/gate.h"

namespace still::cut {
namespace {

constexpr std::chrono::seconds kThawTimeout{10};
constexpr std::chrono::seconds kSettleTimeout{1};

// Holds a container frozen; thaws it.
class Freeze {
 public:
  Freeze(cgroup::Freezer& freezer, std::chrono::nanoseconds timeout) : freezer_(&freezer) {
    freezer.freeze(deadline_in(timeout));
  }
  Freeze(const Freeze&) = delete;
  Freeze& operator=(const Freeze&) = delete;
  ~Freeze() {
    try {
      release();
      confirm_thawed();
    } catch (const Error& error) {
      log(LogLevel::kError, error.message());
    }
  }

  // Writes the thaw, once.
  void release() {
    if (freezer_ == nullptr) return;
    thawing_ = std::exchange(freezer_, nullptr);
    thawing_->request(false);
  }
  // Waits for the kernel's word.
  void confirm_thawed() {
    if (thawing_ == nullptr) return;
    std::exchange(thawing_, nullptr)->thaw(deadline_in(kThawTimeout));
  }

 private:
  cgroup::Freezer* freezer_;            // null: released
  cgroup::Freezer* thawing_ = nullptr;  // released, not yet confirmed
};

// Several at once: all released before the first is waited for.
Instant thaw(std::list<Freeze>& freezes) {
  for (Freeze& freeze : freezes) freeze.release();
  const Instant written = Instant::now();
  for (Freeze& freeze : freezes) freeze.confirm_thawed();
  return written;
}

// After the runtime has let the tasks go: they may be on their way back into the freezer.
void check_still_frozen(cgroup::Freezer* freezer) {
  if (freezer->stays_frozen(deadline_in(kSettleTimeout))) return;
  throw Error(ErrorKind::kRuntime,
              "the container was thawed while it was being captured; the checkpoint is discarded",
              "do not unpause a container during its checkpoint");
}

// The container's first.
std::vector<cgroup::Freezer*> all_freezers(const WindowSettings& settings) {
  if (settings.freezer == nullptr) return {};
  std::vector<cgroup::Freezer*> all = {settings.freezer};
  all.insert(all.end(), settings.sharers.begin(), settings.sharers.end());
  return all;
}

std::vector<cgroup::Freezer*> not_frozen_yet(const WindowSettings& settings) {
  std::vector<cgroup::Freezer*> result = all_freezers(settings);
  std::erase_if(result, [](const cgroup::Freezer* freezer) { return freezer->state().requested; });
  return result;
}

// Captures the trees beside the dump, and watches them until that is done.
class TreeThread {
 public:
  TreeThread(const WindowWork& work, const Instant& frozen)
      : capture_(std::async(std::launch::async, [&work, frozen, stop = stop_.get_token()] {
          work.capture_trees(frozen);
          const auto took = Instant::now() - frozen;
          work.watch_trees(stop);
          return took;
        })) {}
  TreeThread(const TreeThread&) = delete;
  TreeThread& operator=(const TreeThread&) = delete;
  ~TreeThread() { stop_.request_stop(); }

  // How long the capture took. Throws what it has thrown.
  std::chrono::nanoseconds finish() {
    stop_.request_stop();
    return capture_.get();
  }

 private:
  std::stop_source stop_;
  std::future<std::chrono::nanoseconds> capture_;  // its destructor waits
};

}  // namespace

std::chrono::nanoseconds Cut::pause() const {
  return was_frozen ? thawed - frozen : dump_end - dump_start;
}

FreezeWindow::FreezeWindow(WindowSettings settings)
    : settings_(std::move(settings)),
      to_freeze_(not_frozen_yet(settings_)),
      runtime_(settings_.runtime, settings_.dump),
      guardian_(std::in_place, Ward{.freezers = to_freeze_,
                                    .runtime = &runtime_.process(),
                                    .init = settings_.init,
                                    .hang_timeout = settings_.runtime_timeout}) {}

void FreezeWindow::start(std::optional<RuntimeWatch>& dump) {
  dump.emplace(std::move(runtime_), settings_.init, settings_.runtime_timeout);
}

Cut FreezeWindow::run(const WindowWork& work, Cancellation& cancellation, Observer& observer) {
  Cut cut;
  // In this order, so that on every way out a CRIU that waits gives up, then the runtime has ended,
  // then all is thawed.
  std::list<Freeze> freezes;
  std::optional<RuntimeWatch> dump;
  std::optional<criu::CriuGate> gate;
  if (!settings_.gate.empty()) {
    gate.emplace(settings_.gate);
    start(dump);
    try {
      dump->wait_until_ready(*gate, [&] { return cancellation.poll(); });
    } catch (const Error&) {
      cancellation.check();  // then it is a consequence
      throw;
    }
    hooks::reached("ready");
  }
  cut.freeze_requested = Instant::now();
  for (cgroup::Freezer* freezer : to_freeze_) {
    freezes.emplace_back(*freezer, settings_.freeze_timeout);
  }
  cut.was_frozen = settings_.freezer != nullptr && settings_.freezer->state().frozen;
  cut.frozen = Instant::now();
  cancellation.pause_begins();
  observer.step_finished(Step::kFreeze, cut.frozen - cut.freeze_requested);

  hooks::reached("frozen");
  try {
    work.before_dump();
    cut.dump_start = Instant::now();
    if (gate) {
      gate->open();
    } else {
      start(dump);
    }
    TreeThread trees(work, cut.frozen);
    hooks::reached("dumping");
    dump->wait([&] { return cancellation.poll(); });
    cut.dump_end = Instant::now();
    hooks::reached("dumped");
    cut.capture = trees.finish();
    work.before_thaw();
    cut.cut_end = Instant::now();
    hooks::reached("cut");
    if (cut.was_frozen) std::ranges::for_each(all_freezers(settings_), check_still_frozen);
    const auto hold_start = Instant::now();
    work.hold();
    cut.fork = Instant::now() - hold_start;
    hooks::reached("held");
  } catch (const Error&) {
    if (!cancellation.poll()) throw;  // otherwise it is a consequence
    gate.reset();
    dump.reset();
  }
  cut.thawed = thaw(freezes);
  if (!cancellation.poll()) {
    work.after_thaw();
    const auto runs_on = Instant::now();
    cut.fork += runs_on - cut.thawed;
    cut.thawed = runs_on;
  }
  cancellation.pause_has_ended(cut.pause());

  observer.step_finished(Step::kDump, cut.dump_end - cut.dump_start);
  observer.step_finished(Step::kCapture, cut.capture);
  observer.step_finished(Step::kThaw, cut.thawed - cut.cut_end);
  return cut;
}

}  // namespace still::cut
