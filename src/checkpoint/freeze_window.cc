#include "checkpoint/freeze_window.h"

#include <future>
#include <list>

#include "base/error.h"
#include "base/log.h"
#include "checkpoint/runtime_watch.h"
#include "os/signals.h"

namespace still::checkpoint {
namespace {

constexpr std::chrono::seconds kThawTimeout{10};
constexpr std::chrono::seconds kSettleTimeout{1};

// Holds a container frozen and gives it back in the state in which it was found.
class Freeze {
 public:
  Freeze(cgroup::Freezer* freezer, std::chrono::nanoseconds timeout)
      : freezer_(freezer != nullptr && !freezer->state().requested ? freezer : nullptr),
        watched_(freezer) {
    if (freezer_ != nullptr) freezer_->freeze(deadline_in(timeout));
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

  // The kernel's word that the container stands still, now.
  bool confirmed() const { return watched_ != nullptr && watched_->state().frozen; }
  // The same after the runtime has let the tasks go: they may be on their way back into the
  // freezer.
  void check_still_frozen() const {
    if (watched_->stays_frozen(deadline_in(kSettleTimeout))) return;
    throw Error(ErrorKind::kRuntime,
                "the container was thawed while it was being captured; the checkpoint is discarded",
                "do not unpause a container during its checkpoint");
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
  cgroup::Freezer* freezer_;            // null: nothing to thaw
  cgroup::Freezer* thawing_ = nullptr;  // released, not yet confirmed
  cgroup::Freezer* const watched_;
};

// Several at once: all released before the first is waited for.
Instant thaw(std::list<Freeze>& freezes) {
  for (Freeze& freeze : freezes) freeze.release();
  const Instant written = Instant::now();
  for (Freeze& freeze : freezes) freeze.confirm_thawed();
  return written;
}

// Captures the trees beside the dump, and watches them until that is done.
class TreeThread {
 public:
  TreeThread(const WindowSettings& settings, const Instant& frozen)
      : capture_(std::async(std::launch::async, [&settings, frozen, stop = stop_.get_token()] {
          settings.capture_trees(frozen);
          const auto took = Instant::now() - frozen;
          settings.watch_trees(stop);
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

Cut run_freeze_window(const WindowSettings& settings, Observer& observer) {
  const DeferSignals deferred;  // or the container would stay frozen
  Cut cut;
  cut.freeze_requested = Instant::now();
  std::list<Freeze> freezes;  // the container first
  freezes.emplace_back(settings.freezer, settings.freeze_timeout);
  for (cgroup::Freezer* sharer : settings.sharers) {
    freezes.emplace_back(sharer, settings.freeze_timeout);
  }
  cut.was_frozen = freezes.front().confirmed();
  cut.frozen = Instant::now();
  observer.step_finished(Step::kFreeze, cut.frozen - cut.freeze_requested);

  cut.dump_start = Instant::now();
  // Declared after `freezes`, so that on every way out the runtime has ended before the thaw.
  RuntimeWatch dump(settings.dump, settings.init, settings.runtime_timeout);
  TreeThread trees(settings, cut.frozen);
  dump.wait();
  cut.dump_end = Instant::now();
  cut.capture = trees.finish();
  settings.before_thaw();
  cut.cut_end = Instant::now();

  if (cut.was_frozen) {
    for (const Freeze& freeze : freezes) freeze.check_still_frozen();
  }
  cut.thawed = thaw(freezes);

  observer.step_finished(Step::kDump, cut.dump_end - cut.dump_start);
  observer.step_finished(Step::kCapture, cut.capture);
  observer.step_finished(Step::kThaw, cut.thawed - cut.cut_end);
  return cut;
}

}  // namespace still::checkpoint
