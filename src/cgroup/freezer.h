// Freezing and thawing a cgroup with everything below it.
// Sources: Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst and cgroup-v2.rst of Linux.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cgroup/location.h"
#include "os/clock.h"
#include "os/fd.h"

namespace still::cgroup {

struct FreezerState {
  bool requested = false;  // this cgroup was asked to freeze (not: one of its ancestors)
  bool frozen = false;     // the kernel says that all its tasks, nested ones too, are frozen
};

// Holds the cgroup's directory open: it acts on the cgroup it was opened for, even when the path
// comes to name another one. Implementations for v1 (freezer.state) and v2 (cgroup.freeze).
// Every call throws Error(kNotFound) once the cgroup has been removed.
class Freezer {
 public:
  // Throws Error(kNotFound) if the cgroup is gone, Error(kUnsupported) if it has no freezer,
  // Error(kConflict) if this very process lives in it and would freeze itself.
  static std::unique_ptr<Freezer> open(const Location& location);
  Freezer(const Freezer&) = delete;
  Freezer& operator=(const Freezer&) = delete;
  virtual ~Freezer() = default;

  virtual Version version() const = 0;
  virtual FreezerState state() const = 0;

  // Freezes and waits for the kernel's word (v2: "frozen 1" in cgroup.events of this cgroup and of
  // all below it, by poll; v1: FROZEN in freezer.state); asked again at least every millisecond. At
  // the deadline: restores the state found before and throws Error(kTimeout) naming up to five
  // tasks that did not freeze: pid, command, state, kernel wait channel. Any other failure restores
  // that state too.
  void freeze(Deadline deadline);

  // Whether it is frozen, by the kernel's word, at the latest at the deadline; asks for nothing.
  // False at once when it has been thawed. For the moment after CRIU has let the tasks go: asked to
  // freeze while CRIU held them, they are on their way.
  bool stays_frozen(Deadline deadline);

  // Thaws and waits for the kernel's word. A cgroup with a frozen ancestor stays frozen (but is no
  // longer asked to be): Error(kConflict). Throws Error(kTimeout) at the deadline.
  void thaw(Deadline deadline);

  // Tasks that are frozen where ptrace(2) cannot stop them: each waits in the kernel for a child of
  // vfork(2) or posix_spawn(3), until that executes a program or ends. Up to five, described for
  // people. Asked of a cgroup that is not frozen it may be wrong a moment later.
  virtual std::vector<std::string> beyond_ptrace() const;

  // Asks for freezing or thawing with one write and does not wait.
  virtual void request(bool frozen) = 0;

  // All processes in the cgroup and below it, in this pid namespace.
  std::vector<pid_t> processes() const;
  // The inode of the cgroup's directory: tells a re-created cgroup of the same name from this one.
  ino_t inode() const;
  // Where that directory is now.
  std::filesystem::path directory() const;

 protected:
  Freezer(Fd directory, const std::string& name);

  // Sleeps until the state may have changed, at most a millisecond and until the deadline.
  virtual void wait_for_change(Deadline deadline) = 0;
  virtual bool has_frozen_ancestor() const = 0;
  // The file with one thread id a line: "tasks", "cgroup.threads".
  virtual std::string thread_list() const = 0;

  // Content of a file of the cgroup.
  std::string read(const std::string& file) const;
  // One write(2) to a file of the cgroup.
  void write(const std::string& file, std::string_view value) const;

  const Fd directory_;
  const std::string name_;  // the cgroup in messages

 private:
  bool wait_until(const std::function<bool(const FreezerState&)>& reached, Deadline deadline);
  void undo(const FreezerState& before) noexcept;
};

}  // namespace still::cgroup
