// System calls that a stopped thread makes for us, in a way that leaves it correct if we die at any
// instruction.
//
// The thread is made to look as if it were in a signal handler: a signal frame, as the kernel
// itself would write it, holds all that the thread was (registers, extended state, signal mask),
// and its registers point to a system call instruction from which the code goes on to a return:
// into the code that leaves signal handlers. Without us it does that by itself, and the kernel sets
// everything as it was. With us it never gets that far: after the call we set it back and remove
// the frame.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "criu/memory_images.h"
#include "memory/landing.h"
#include "memory/tracee.h"
#include "os/fd.h"

namespace still::memory {

class Injection {
 public:
  // The thread is stopped. The frame goes to its alternate signal stack, if it has one that it is
  // not on, or below its stack's red zone (128 bytes, x86-64 ABI), as the kernel does it. Until the
  // object ends all threads of the process must be stopped. Throws Error(kUnsupported) where there
  // is no place for it, or for a thread that is not like others (32 bits, shadow stack);
  // Error(kSystem).
  Injection(Tracee& thread, const Landing& landing, const AddressMap& map,
            const criu::AlternateStack& alternate_stack);
  Injection(const Injection&) = delete;
  Injection& operator=(const Injection&) = delete;
  // Sets the thread back. Failures are logged: it then goes its own way back.
  ~Injection();

  // clone(2). The child, if ever it ran without us, dies at once. It has no exit signal: its parent
  // does not notice its end. The table of descriptors is one for both, so the child keeps none of
  // them open, until it has one of its own (make_inert()). Throws Error(kConflict) when the call
  // fails, as with a limit of processes.
  pid_t fork(Deadline deadline);
  // wait4(2) for such a child that has ended. child: its pid in its parent's pid namespace.
  void reap(pid_t child, Deadline deadline);

  // userfaultfd(2) of the process's memory: the descriptor is ours, and the process has none when
  // this returns, nor a moment after we have died: the way back then leads through close(2). Its
  // table of descriptors belongs to no other process. Throws Error(kConflict) when a call fails, as
  // with a limit of descriptors or where the kernel knows no such call; Error(kUnsupported) where a
  // seccomp filter of the process holds for our calls, too.
  Fd open_userfaultfd(Deadline deadline);

  // What a fork has in place of it.
  const Bytes& overwritten() const { return overwritten_; }

 private:
  // A system call, and what comes after it without us.
  struct Call {
    long number = 0;
    std::array<uint64_t, 4> arguments{};
    uint64_t frame = 0;  // address
  };
  user_regs_struct registers_for(const Call& call) const;
  Tracee::Result make(const Call& call, Deadline deadline);
  // A frame that leads to such a call.
  void write_frame(uint64_t address, const user_regs_struct& registers, uint64_t mask);
  void set_back();

  Tracee& thread_;
  const Landing landing_;
  const user_regs_struct registers_;
  const uint64_t mask_;
  const std::vector<std::byte> extended_state_;
  const uint64_t frame_;   // address: of what the thread was
  const uint64_t before_;  // address of a second one, which leads to something else before that
  Bytes overwritten_;
};

}  // namespace still::memory
