// The freeze window: the moments in which a group of containers stands still and is cut.
#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "cgroup/freezer.h"
#include "cut/cancellation.h"
#include "cut/guardian.h"
#include "cut/memory.h"
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
  std::chrono::nanoseconds earlier{};  // how long the container stood still in tries that failed
  bool was_frozen = false;  // from before the dump until after the last byte of the trees

  // How long the container has stood still for the checkpoint: from the request to freeze until it
  // was let go, and in earlier tries.
  std::chrono::nanoseconds pause() const;
};

// The runtime's checkpoint of one container.
struct Dump {
  std::string runtime;  // its name, for messages
  Command command;
  // Where the command has CRIU wait for the freeze (criu/gate.h): it is started before that. Empty:
  // it is started after it.
  std::filesystem::path gate{};
  pid_t init = 0;  // of the container
};

// A container that stands still.
struct Member {
  cgroup::Freezer* freezer = nullptr;  // null: it cannot be frozen
  std::optional<Dump> dump{};          // none: it stands still for the sake of the others
};

// The files of a member that is dumped, in the moments of the window.
class TreeCut {
 public:
  TreeCut() = default;
  TreeCut(const TreeCut&) = delete;
  TreeCut& operator=(const TreeCut&) = delete;
  virtual ~TreeCut() = default;

  // The cut, in another thread beside the dump. frozen: since when nothing runs.
  virtual void cut(const Instant& frozen) = 0;
  // After cut(), in its thread: looks again whether the trees stand still, until stop is requested.
  virtual void watch(const std::stop_token& stop) = 0;
  // The last moment before the thaw: later changes are the container's. Takes no time.
  virtual void end() = 0;
};

// What is captured of a member that is dumped.
struct Captured {
  MemoryWay& memory;
  TreeCut& trees;
};

struct WindowTimeouts {
  std::chrono::nanoseconds freeze{};   // how long the kernel may take to freeze a container
  std::chrono::nanoseconds runtime{};  // how long a runtime may do nothing
};

class Window {
 public:
  // Makes what can be made before: the runtimes' processes, which wait, and the guardian. What is
  // frozen already stays so afterwards. To be called while no other thread runs. Throws
  // Error(kSystem), and Error(kNotFound) for a cgroup that has gone.
  Window(std::vector<Member> members, const WindowTimeouts& timeouts);
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  // The freezers of what run() freezes and thaws.
  const std::vector<cgroup::Freezer*>& to_freeze() const { return to_freeze_; }
  pid_t guardian() const { return guardian_->pid(); }
  // Of the dumps, in the members' order; until run().
  std::vector<pid_t> runtimes() const;
  // After run(): all is thawed. Lets go of the locks that the guardian holds for us; it goes on to
  // look whether we are stopped while we hold tasks.
  void release_guardian() const { guardian_->release(); }
  // We hold none any more.
  void dismiss_guardian() { guardian_.reset(); }

  // Once: has CRIU get ready, freezes all, runs the dumps and cuts the trees beside them, checks
  // that all are still frozen, and thaws what it froze. captured: of the members that are dumped,
  // in their order. On every failure the containers run (or are paused) as before when the
  // exception arrives; the runtimes have ended by then. Throws Error(kTimeout) when the freeze or a
  // runtime takes too long, Error(kRuntime) when a runtime fails or thaws a container, whatever
  // `captured` throws, and what cancellation does.
  Cut run(const std::vector<Captured>& captured, Cancellation& cancellation, Observer& observer);

 private:
  class Dumping;
  using Unwanted = std::function<bool()>;

  bool all_stand_still() const;
  void check_still_frozen() const;
  void check_not_let_go() const;

  const std::vector<Member> members_;
  const WindowTimeouts timeouts_;
  const std::vector<cgroup::Freezer*> to_freeze_;
  std::vector<HeldRuntime> runtimes_;
  std::optional<Guardian> guardian_;
};

}  // namespace still::cut
