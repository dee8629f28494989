#include "cut/cancellation.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace still::cut {
namespace {

// CRIU undoes what it has done in some milliseconds, then the cgroup is thawed. Of a short pause
// less is taken.
constexpr std::chrono::milliseconds kToLetGo{50};
constexpr int kShareToLetGo = 10;

}  // namespace

void Cancellation::pause_begins() {
  pause_began_ = std::chrono::steady_clock::now();
  if (max_pause_) {
    pause_limit_ = *pause_began_ + (*max_pause_ - paused_) -
                   std::min<std::chrono::nanoseconds>(kToLetGo, *max_pause_ / kShareToLetGo);
  }
}

void Cancellation::pause_ends() {
  if (!pause_began_) return;
  paused_ += std::chrono::steady_clock::now() - *pause_began_;
  pause_began_.reset();
  pause_limit_ = Deadline::max();
}

bool Cancellation::poll() {
  if (!signal_) signal_ = DeferSignals::take();
  if (std::chrono::steady_clock::now() >= pause_limit_) is_late_ = true;
  if (signal_ || is_late_) stop_.request_stop();
  return stop_.stop_requested();
}

void Cancellation::check(std::string_view outcome) {
  poll();
  if (signal_) throw Error::interrupted(*signal_, outcome);
}

void Cancellation::check_pause() {
  check();
  if (!max_pause_ || (!is_late_ && paused_ <= *max_pause_)) return;
  if (paused_ <= *max_pause_) {
    throw Error(ErrorKind::kTimeout,
                formatted("the container was let go after it had stood still for {}, because "
                          "--max-pause allows {}; the checkpoint is discarded",
                          human_duration(paused_), human_duration(*max_pause_)),
                "allow more, or try when it has less to write");
  }
  throw Error(ErrorKind::kTimeout,
              formatted("the container stood still for {}, and --max-pause allows {}; the "
                        "checkpoint is discarded",
                        human_duration(paused_), human_duration(*max_pause_)),
              "allow more, or try when it has less to write");
}

}  // namespace still::cut
