#include "cut/cancellation.h"

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace still::cut {

void Cancellation::pause_begins() {
  if (max_pause_) pause_limit_ = deadline_in(*max_pause_);
}

bool Cancellation::poll() {
  if (!signal_) signal_ = DeferSignals::take();
  if (signal_ || (pause_limit_ && std::chrono::steady_clock::now() >= *pause_limit_)) {
    stop_.request_stop();
  }
  return stop_.stop_requested();
}

void Cancellation::check(std::string_view outcome) {
  poll();
  if (signal_) throw Error::interrupted(*signal_, outcome);
}

void Cancellation::pause_has_ended(std::chrono::nanoseconds pause) {
  pause_limit_.reset();
  check();
  if (!max_pause_ || pause <= *max_pause_) return;
  throw Error(ErrorKind::kTimeout,
              formatted("the container stood still for {}, and --max-pause allows {}; the "
                        "checkpoint is discarded",
                        human_duration(pause), human_duration(*max_pause_)),
              "allow more, or try when it has less to write");
}

}  // namespace still::cut
