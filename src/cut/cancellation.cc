#include "cut/cancellation.h"

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace still::cut {

void Cancellation::pause_begins() {
  pause_began_ = std::chrono::steady_clock::now();
  if (max_pause_) pause_limit_ = *pause_began_ + (*max_pause_ - paused_);
}

void Cancellation::pause_ends() {
  if (!pause_began_) return;
  paused_ += std::chrono::steady_clock::now() - *pause_began_;
  pause_began_.reset();
  pause_limit_ = Deadline::max();
}

bool Cancellation::poll() {
  if (!signal_) signal_ = DeferSignals::take();
  if (signal_ || std::chrono::steady_clock::now() >= pause_limit_) stop_.request_stop();
  return stop_.stop_requested();
}

void Cancellation::check(std::string_view outcome) {
  poll();
  if (signal_) throw Error::interrupted(*signal_, outcome);
}

void Cancellation::check_pause() {
  check();
  if (!max_pause_ || paused_ <= *max_pause_) return;
  throw Error(ErrorKind::kTimeout,
              formatted("the container stood still for {}, and --max-pause allows {}; the "
                        "checkpoint is discarded",
                        human_duration(paused_), human_duration(*max_pause_)),
              "allow more, or try when it has less to write");
}

}  // namespace still::cut
