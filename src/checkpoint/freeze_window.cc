#include "checkpoint/freeze_window.h"

#include <future>

#include "base/error.h"
#include "base/log.h"
#include "checkpoint/runtime_watch.h"

namespace still::checkpoint {
namespace {

constexpr std::chrono::seconds kThawTimeout{10};
constexpr std::chrono::seconds kSettleTimeout{1};

// Holds the container frozen and gives it back in the state in which it was found.
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
      thaw();
    } catch (const Error& error) {
      log(LogLevel::kError, error.message());
    }
  }

  // The kernel's word that the container stands still, now.
  bool confirmed() const { return watched_ != nullptr && watched_->state().frozen; }
  // The same after the runtime has let the tasks go: they may be on their way back into the
  // freezer.
  bool confirmed_again() const { return watched_->stays_frozen(deadline_in(kSettleTimeout)); }

  // Writes the thaw and returns the instant of that; then waits for the kernel's word.
  Instant thaw() {
    if (freezer_ == nullptr) return Instant::now();
    cgroup::Freezer* const freezer = std::exchange(freezer_, nullptr);
    freezer->request(false);
    const Instant written = Instant::now();
    freezer->thaw(deadline_in(kThawTimeout));
    return written;
  }

 private:
  cgroup::Freezer* freezer_;  // null: nothing to thaw
  cgroup::Freezer* const watched_;
};

void check_still_frozen(const Freeze& freeze) {
  if (freeze.confirmed_again()) return;
  throw Error(ErrorKind::kRuntime,
              "the container was thawed while it was being captured; the checkpoint is discarded",
              "do not unpause a container during its checkpoint");
}

}  // namespace

std::chrono::nanoseconds Cut::pause() const {
  return was_frozen ? thawed - frozen : dump_end - dump_start;
}

Cut run_freeze_window(const WindowSettings& settings, Observer& observer) {
  Cut cut;
  cut.freeze_requested = Instant::now();
  Freeze freeze(settings.freezer, settings.freeze_timeout);
  cut.was_frozen = freeze.confirmed();
  cut.frozen = Instant::now();
  observer.step_finished(Step::kFreeze, cut.frozen - cut.freeze_requested);

  cut.dump_start = Instant::now();
  // Declared after `freeze`, so that on every way out the runtime has ended before the thaw.
  RuntimeWatch dump(settings.dump, settings.init, settings.runtime_timeout);
  auto capture = std::async(std::launch::async, settings.capture_trees);
  dump.wait();
  cut.dump_end = Instant::now();
  capture.get();
  settings.before_thaw();
  cut.cut_end = Instant::now();

  if (cut.was_frozen) check_still_frozen(freeze);
  cut.thawed = freeze.thaw();

  observer.step_finished(Step::kDump, cut.dump_end - cut.dump_start);
  observer.step_finished(Step::kThaw, cut.thawed - cut.cut_end);
  return cut;
}

}  // namespace still::checkpoint
