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

  // The pause begins: its limit counts from here.
  void pause_begins();

  // Whether the checkpoint is given up by now. From one thread at a time.
  bool poll();
  // Throws Error(kInterrupted) when a signal has come. Calls poll(). outcome: what the user is told
  // of what became of the work.
  void check(std::string_view outcome = kNothingKept);
  // When the container runs again, after having stood still for so long. Throws Error(kInterrupted)
  // for a signal, Error(kTimeout) for a pause that was too long.
  void pause_has_ended(std::chrono::nanoseconds pause);

 private:
  const DeferSignals deferred_;
  const std::optional<std::chrono::nanoseconds> max_pause_;
  std::stop_source stop_;
  std::optional<Deadline> pause_limit_;  // while it stands still
  std::optional<int> signal_;
};

}  // namespace still::cut
