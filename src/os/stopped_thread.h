// What the kernel does with a thread that is stopped, by a freeze or by ptrace(2), as far as the
// headers of the C library do not say it. Header only: the library in CRIU has these, too.
#pragma once

#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace still {

// --- system calls that were interrupted
// ----------------------------------------------------------

// What stands in the place of the result until the thread goes on (linux/errno.h). No program sees
// these.
inline constexpr int64_t kRestarts = -512;               // ERESTARTSYS
inline constexpr int64_t kRestartsAlways = -513;         // ERESTARTNOINTR
inline constexpr int64_t kRestartsUnlessHandled = -514;  // ERESTARTNOHAND: EINTR if a handler runs
inline constexpr int64_t kContinues = -516;     // ERESTART_RESTARTBLOCK: with the time that is left
inline constexpr uint64_t kSystemCallSize = 2;  // of the instruction

// Whether registers say that a call (orig_rax) was interrupted, by its result (rax).
constexpr bool is_interrupted(uint64_t call, uint64_t result) {
  if (static_cast<int64_t>(call) < 0) return false;
  switch (static_cast<int64_t>(result)) {
    case kRestarts:
    case kRestartsAlways:
    case kRestartsUnlessHandled:
    case kContinues:
      return true;
    default:
      return false;
  }
}

// Calls that give EINTR as soon as their thread is woken, though no signal has come (signal(7)), or
// when they have a time-out that the kernel does not keep. They have done nothing then, and can
// begin anew.
constexpr bool ends_when_woken(uint64_t call) {
  switch (call) {
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2:
    case SYS_semop:
    case SYS_semtimedop:
    case SYS_rt_sigtimedwait:
    case SYS_io_getevents:
    case SYS_io_pgetevents:
    // With a time-out in memory that cannot be written, where the time that is left goes.
    case SYS_select:
    case SYS_pselect6:
    case SYS_ppoll:
    // With SO_RCVTIMEO or SO_SNDTIMEO.
    case SYS_read:
    case SYS_readv:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_recvmmsg:
    case SYS_write:
    case SYS_writev:
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_sendmmsg:
    case SYS_accept:
    case SYS_accept4:
    case SYS_connect:
      return true;
    default:
      return false;
  }
}

// Whether the registers of a thread that was stopped say that its call ended because of that:
// kRestartsUnlessHandled in the place of the result makes it begin anew when the thread goes on, or
// end with EINTR after all if a signal came that has a handler.
constexpr bool was_ended_by_stop(uint64_t call, uint64_t result) {
  return static_cast<int64_t>(call) >= 0 && static_cast<int64_t>(result) == -EINTR &&
         ends_when_woken(call);
}

// --- frames of signal handlers
// -------------------------------------------------------------------

// struct rt_sigframe of arch/x86/include/asm/sigframe.h, with struct ucontext and sigcontext of
// arch/x86/include/uapi/asm/; what follows (siginfo) the kernel does not read. rt_sigreturn(2)
// takes it from 8 bytes below the stack pointer.
struct SignalFrame {
  uint64_t return_address;
  uint64_t flags;
  uint64_t link;
  uint64_t stack_start;
  uint32_t stack_flags, padding;
  uint64_t stack_size;
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip;
  uint64_t eflags;
  uint16_t cs, gs, fs, ss;
  uint64_t error, trap, old_mask, cr2;
  uint64_t extended_state;
  std::array<uint64_t, 8> reserved;
  uint64_t mask;
  std::array<std::byte, 128> siginfo;
};
static_assert(offsetof(SignalFrame, r8) == 8 + 40 && offsetof(SignalFrame, mask) == 8 + 40 + 256);

// struct _fpx_sw_bytes, in what the processor leaves free of the legacy area.
struct SoftwareBytes {
  uint32_t magic;
  uint32_t extended_size;
  uint64_t features;
  uint32_t size;
};
inline constexpr size_t kSoftwareBytesOffset = 464;
inline constexpr uint32_t kExtendedStateMagic = 0x46505853;

// --- restartable sequences (rseq(2))
// -------------------------------------------------------------

// linux/ptrace.h, which cannot be included beside sys/ptrace.h.
inline constexpr unsigned kGetRseqConfiguration = 0x420f;
struct RseqConfiguration {
  uint64_t address;
  uint32_t size;
  uint32_t signature;
  uint32_t flags;
  uint32_t padding;
};
// Where struct rseq (linux/rseq.h) holds the address of the sequence that the thread is in.
inline constexpr uint64_t kRseqSequence = 8;
struct RseqSequence {
  uint32_t version, flags;
  uint64_t start, length, abort;

  // The address where a thread goes on that was interrupted at the instruction.
  std::optional<uint64_t> abort_address(uint64_t instruction) const {
    if (instruction - start >= length) return std::nullopt;
    return abort;
  }
};

}  // namespace still
