// The freeze window: the moments in which a container stands still and is cut.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <vector>

#include "cgroup/freezer.h"
#include "cut/cancellation.h"
#include "cut/guardian.h"
#include "cut/observer.h"
#include "cut/runtime_watch.h"
#include "os/clock.h"
#include "os/process.h"

namespace still::cut {

// The instants of a cut; zero where there was none (no freeze).
struct Cut {
  Instant freeze_requested, frozen, dump_start, dump_end, cut_end, thawed;
  std::chrono::nanoseconds capture{};  // how long the trees took, beside the dump
  std::chrono::nanoseconds fork{};     // how long holding and forking the processes took
  bool was_frozen = false;  // from before the dump until after the last byte of the trees

  // From the kernel's confirmation of the freeze until the thaw was written.
  std::chrono::nanoseconds pause() const;
};

// Who stands still, and for what.
struct WindowSettings {
  cgroup::Freezer* freezer = nullptr;     // null: the container cannot be frozen
  std::vector<cgroup::Freezer*> sharers;  // of containers that are frozen for the same time
  std::string runtime;                    // its name, for messages
  Command dump;                           // the runtime's checkpoint
  // Where that has CRIU wait for the freeze (criu/gate.h): it is started before that. Empty: it
  // is started after it.
  std::filesystem::path gate;
  pid_t init = 0;  // of the container
  std::chrono::nanoseconds freeze_timeout{};
  std::chrono::nanoseconds runtime_timeout{};
};

// What is done beside the dump, and after it.
struct WindowWork {
  // Called when nothing runs any more, before the dump.
  std::function<void()> before_dump = [] {};
  // Runs in another thread. frozen: since when nothing runs.
  std::function<void(const Instant& frozen)> capture_trees;
  // Called after it in the same thread, until the dump is done: returns at once when that is.
  std::function<void(const std::stop_token&)> watch_trees = [](const std::stop_token&) {};
  // Called when both are done, just before the thaw: for facts of the cut that take no time.
  std::function<void()> before_thaw = [] {};
  // Called when the container has been found frozen to the end; from then on it is to stand still
  // even when it is thawed, until after_thaw. On errors the caller lets it run.
  std::function<void()> hold = [] {};
  // Called after the thaw: what cannot be done to frozen tasks. The container runs when it returns.
  std::function<void()> after_thaw = [] {};
};

class FreezeWindow {
 public:
  // Makes what can be made before: the runtime's process, which waits, and the guardian. What is
  // frozen already stays so afterwards. To be called while no other thread runs. Throws
  // Error(kSystem), and Error(kNotFound) for a cgroup that has gone.
  explicit FreezeWindow(WindowSettings settings);
  FreezeWindow(const FreezeWindow&) = delete;
  FreezeWindow& operator=(const FreezeWindow&) = delete;

  // The freezers of what run() freezes and thaws.
  const std::vector<cgroup::Freezer*>& to_freeze() const { return to_freeze_; }
  pid_t guardian() const { return guardian_->pid(); }
  pid_t runtime() const { return runtime_.process().pid(); }  // until run()
  // After run(): nothing is left to be guarded. Lets go of the locks that it holds for us.
  void dismiss_guardian() { guardian_.reset(); }

  // Once: has CRIU get ready, freezes all, runs the dump and capture_trees (in another thread, at
  // the same time), checks that all are still frozen, and thaws what it froze. On every failure the
  // containers run (or are paused) as before when the exception arrives; the runtime has ended by
  // then. Throws Error(kTimeout) when the freeze or the runtime takes too long, Error(kRuntime)
  // when the runtime fails or thaws the container, whatever capture_trees throws, and what
  // cancellation does.
  Cut run(const WindowWork& work, Cancellation& cancellation, Observer& observer);

 private:
  void start(std::optional<RuntimeWatch>& dump);

  const WindowSettings settings_;
  const std::vector<cgroup::Freezer*> to_freeze_;
  HeldRuntime runtime_;
  std::optional<Guardian> guardian_;
};

}  // namespace still::cut
