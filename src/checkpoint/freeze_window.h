// The freeze window: the moments in which a container stands still and is cut.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "archive/manifest.h"
#include "cgroup/freezer.h"
#include "checkpoint/observer.h"
#include "checkpoint/plan.h"
#include "os/clock.h"
#include "os/process.h"

namespace still::checkpoint {

// The instants of a cut; zero where there was none (no freeze).
struct Cut {
  Instant freeze_requested, frozen, dump_start, dump_end, cut_end, thawed;
  std::chrono::nanoseconds capture{};  // how long the trees took, beside the dump
  bool was_frozen = false;  // from before the dump until after the last byte of the trees

  // From the kernel's confirmation of the freeze until the thaw was written.
  std::chrono::nanoseconds pause() const;
};

struct WindowSettings {
  cgroup::Freezer* freezer = nullptr;     // null: the container cannot be frozen
  std::vector<cgroup::Freezer*> sharers;  // of containers that are frozen for the same time
  Command dump;                           // the OCI runtime's checkpoint
  pid_t init = 0;                         // of the container
  // Runs in another thread, beside the dump. frozen: since when nothing runs.
  std::function<void(const Instant& frozen)> capture_trees;
  // Called after it in the same thread, until the dump is done: returns at once when that is.
  std::function<void(const std::stop_token&)> watch_trees = [](const std::stop_token&) {};
  // Called when both are done, just before the thaw: for facts of the cut that take no time.
  std::function<void()> before_thaw = [] {};
  std::chrono::nanoseconds freeze_timeout{};
  std::chrono::nanoseconds runtime_timeout{};
};

// Freezes all, runs the dump and capture_trees (in another thread, at the same time), checks that
// the container is still frozen, and puts the freezer back into the state found before. On every
// failure the container runs (or is paused) as before when the exception arrives; the runtime has
// ended by then. Throws Error(kTimeout) when the freeze or the runtime takes too long,
// Error(kRuntime) when the runtime fails or thaws the container, and whatever capture_trees throws.
// Signals that ask us to end wait until the thaw.
Cut run_freeze_window(const WindowSettings& settings, Observer& observer);

}  // namespace still::checkpoint
