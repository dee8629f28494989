// A thread of another process that we hold by ptrace(2), and system calls that it makes for us.
#pragma once

#include <sys/types.h>
#include <sys/user.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "os/clock.h"

namespace still::memory {

// To be used and destroyed in the OS thread that made it: the kernel knows no other tracer. When
// that ends, by SIGKILL or not, the kernel lets go of the thread and it runs on as it is.
class Tracee {
 public:
  // Asks the thread to stop, also one whose cgroup is frozen: it does then at the latest when that
  // is thawed, before it executes an instruction of its own. nullopt if it has ended. Throws
  // Error(kConflict) if somebody else traces it, Error(kSystem).
  static std::optional<Tracee> seize(pid_t tid);
  // A child that the kernel has made us the tracer of, because its parent was traced (clone(2)). It
  // has stopped when this returns, and is killed when the OS thread ends. Throws Error(kTimeout),
  // Error(kConflict) if it was killed, Error(kSystem).
  static Tracee adopt(pid_t child, Deadline deadline);
  Tracee(Tracee&& other) noexcept;
  Tracee& operator=(Tracee&& other) noexcept;
  // Lets go.
  ~Tracee();

  pid_t tid() const { return tid_; }
  // Whether a seccomp(2) filter of its own holds for the calls that it makes for us: without
  // CAP_SYS_ADMIN it cannot be suspended. Throws Error(kSystem) if it has ended.
  bool is_filtered() const;
  bool has_ended() const { return tid_ == 0 || ending_; }

  // Waits until each has stopped as asked, or is ending. All at once, because one that has ended
  // must be waited for before others can end: an init waits for its processes. Throws
  // Error(kTimeout).
  static void wait_until_stopped(std::vector<Tracee*> tracees, Deadline deadline);
  // Lets go: it runs on. One that has ended is no error.
  void detach() noexcept;
  // For a child that was reported by run_system_call(), whether it has been adopted or not, or has
  // ended by itself: SIGKILL, and waits until it has ended, and all its memory is free. It is still
  // held: its parent cannot collect it.
  static void end(pid_t child) noexcept;
  // The same, and lets go. A Tracee of it takes no notice.
  static void kill(pid_t child) noexcept;

  // --- while it is stopped; each throws Error(kSystem), also when it was killed ------------------
  user_regs_struct registers() const;
  void set_registers(const user_regs_struct& registers);
  uint64_t signal_mask() const;
  void set_signal_mask(uint64_t mask);
  // XSAVE format.
  std::vector<std::byte> extended_state() const;
  // A thread that was interrupted in a restartable sequence (rseq(2)) goes on at the sequence's
  // abort address. The kernel sees to that only where the registers are not set by us.
  void leave_sequence();

  // Lets it run from where its registers point to, which is at a system call, until that is done.
  // Returns its result (-errno) and the child, if it made one.
  struct Result {
    int64_t value = 0;
    std::optional<pid_t> child;
  };
  Result run_system_call(Deadline deadline);

 private:
  explicit Tracee(pid_t tid) : tid_(tid) {}
  // The status of waitpid(2) if there is one.
  std::optional<int> poll_status() const;
  int wait_for_status(Deadline deadline) const;
  // Whether it has stopped as asked, or has ended.
  bool poll_stopped();
  // To be stopped ends some system calls: they begin anew. Failures show when it is used next.
  void undo_interruption() const;

  pid_t tid_;  // 0: let go, or ended
  // Seen to end, before waitpid(2) said so.
  bool ending_ = false;
};

// A piece of a process's memory, as it was at one moment.
struct Bytes {
  uint64_t address = 0;
  std::vector<std::byte> bytes;
};

// Memory of another process. Throw Error(kSystem) if not all of it can be read or written.
void read_memory(pid_t pid, uint64_t address, void* to, size_t size);
Bytes save(pid_t pid, uint64_t address, size_t size);
void write_memory(pid_t pid, uint64_t address, const void* from, size_t size);

}  // namespace still::memory
