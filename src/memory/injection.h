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

#include <cstddef>
#include <cstdint>
#include <vector>

#include "criu/memory_images.h"
#include "memory/landing.h"
#include "memory/tracee.h"

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

  // What a fork has in place of it.
  const Bytes& overwritten() const { return overwritten_; }

 private:
  Tracee::Result call(long number, uint64_t first, uint64_t second, uint64_t third, uint64_t fourth,
                      Deadline deadline);
  void set_back();

  Tracee& thread_;
  const Landing landing_;
  const user_regs_struct registers_;
  const uint64_t mask_;
  const std::vector<std::byte> extended_state_;
  const uint64_t frame_;  // address
  Bytes overwritten_;
};

}  // namespace still::memory
