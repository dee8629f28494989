// When a checkpoint is given up: the user asks for it by a signal, or the container would stand
// still for longer than it may.
#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <string_view>

#include "os/clock.h"
#include "os/signals.h"

namespace still::cut {

inline constexpr std::string_view kNothingKept =
    "the container is as before, and nothing of the checkpoint is kept";
inline constexpr std::string_view kNothingRestored = "nothing of the restored container is left";

class Cancellation {
 public:
  // As long as it lives, signals that ask us to end wait for poll(); nobody has asked: they do then
  // what they would have done. max_pause: how long the container may stand still.
  explicit Cancellation(std::optional<std::chrono::nanoseconds> max_pause = std::nullopt)
      : max_pause_(max_pause) {}
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;

  // For all that can be stopped. Requested by poll().
  std::stop_token token() const { return stop_.get_token(); }

  // The container stands still from here on, until it is said to run again. A checkpoint can need
  // several tries: the limit is for all that they take together.
  void pause_begins();
  void pause_ends();  // nothing, if none has begun
  // How long it stood still in pauses that have ended.
  std::chrono::nanoseconds paused() const { return paused_; }
  // When the container must be let go, so that it runs again before the pause gets too long: from
  // there on the checkpoint is given up.
  Deadline pause_limit() const { return pause_limit_; }

  // Whether the checkpoint is given up by now. From one thread at a time.
  bool poll();
  // Throws Error(kInterrupted) when a signal has come. Calls poll(). outcome: what the user is told
  // of what became of the work.
  void check(std::string_view outcome = kNothingKept);
  // When the container runs again. Throws Error(kInterrupted) for a signal, Error(kTimeout) if it
  // stood still for too long, or was let go because it would have.
  void check_pause();

 private:
  const DeferSignals deferred_;
  const std::optional<std::chrono::nanoseconds> max_pause_;
  std::stop_source stop_;
  std::chrono::nanoseconds paused_{};
  std::optional<std::chrono::steady_clock::time_point> pause_began_;
  Deadline pause_limit_ = Deadline::max();
  bool is_late_ = false;  // the limit has been reached
  std::optional<int> signal_;
};

}  // namespace still::cut
