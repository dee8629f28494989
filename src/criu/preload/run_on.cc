// Preloaded into CRIU alone: what a dump does to the tasks that will run on.
//
// A task is stopped in the middle of a system call, or of a restartable sequence (rseq(2)), and is
// to go on as if it had not been. But CRIU 4.1.1
// - puts the registers back in a form that has no interrupted system calls. Those that would go on
//   with the time that is left (nanosleep(2), poll(2), futex(2)) give EINTR, and others begin anew
//   even where the handler of a signal that came meanwhile should end them. Here the registers are
//   put back as they were. (compel_get_task_regs() in compel/arch/x86/src/lib/infect.c)
// - runs its own code in the task, and ends that in the first thread of each process by
//   rt_sigreturn(2), with which the kernel forgets that time. Here everything that the call would
//   do is done by ptrace(2), and the call itself is left out. (compel_stop_on_syscall() in
//   compel/src/lib/infect.c)
// - does not see that some calls end with EINTR because their thread was woken, by nothing else.
//   Here they begin anew, in the task and in its image.
// - sends none but the first thread of a process to the abort address of the restartable sequence
//   that it was in, and the kernel no longer knows of it once CRIU's code has run in the thread.
//   Here each goes on there. (fixup_thread_rseq() in criu/cr-dump.c)
// Where anything of it fails, CRIU does what it does without us.

#include <dlfcn.h>
#include <elf.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include <bit>
#include <cstring>

#include "criu/preload/preload.h"
#include "os/stopped_thread.h"

namespace {

constexpr size_t kMostExtendedState = size_t{64} << 10;
constexpr unsigned kSetSignalMask = 0x420b;  // linux/ptrace.h

long trace(unsigned request, pid_t task, const void* address, void* data) {
  using Function = long(unsigned, pid_t, const void*, void*);
  static Function* next = nullptr;
  if (next == nullptr) next = reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, "ptrace"));
  return next(request, task, address, data);
}

const void* number(uint64_t value) { return std::bit_cast<const void*>(value); }

bool read_memory(pid_t task, uint64_t address, void* to, size_t size) {
  const iovec here{to, size};
  const iovec there{std::bit_cast<void*>(address), size};
  return ::process_vm_readv(task, &here, 1, &there, 1, 0) == static_cast<ssize_t>(size);
}

bool write_memory(pid_t task, uint64_t address, void* from, size_t size) {
  const iovec here{from, size};
  const iovec there{std::bit_cast<void*>(address), size};
  return ::process_vm_writev(task, &here, 1, &there, 1, 0) == static_cast<ssize_t>(size);
}

// False for one of 32 bits, too.
bool read_registers(pid_t task, user_regs_struct& registers) {
  iovec place{&registers, sizeof registers};
  return trace(PTRACE_GETREGSET, task, number(NT_PRSTATUS), &place) == 0 &&
         place.iov_len == sizeof registers;
}

bool write_registers(pid_t task, user_regs_struct& registers) {
  iovec place{&registers, sizeof registers};
  return trace(PTRACE_SETREGSET, task, number(NT_PRSTATUS), &place) == 0;
}

void leave_sequence(pid_t task, user_regs_struct& registers) {
  still::RseqConfiguration rseq = {};
  still::RseqSequence sequence = {};
  uint64_t address = 0;
  if (trace(still::kGetRseqConfiguration, task, number(sizeof rseq), &rseq) < 0 ||
      rseq.address == 0 ||
      !read_memory(task, rseq.address + still::kRseqSequence, &address, sizeof address) ||
      address == 0 || !read_memory(task, address, &sequence, sizeof sequence)) {
    return;
  }
  const auto abort = sequence.abort_address(registers.rip);
  if (!abort) return;
  registers.rip = *abort;
  uint64_t none = 0;
  if (write_registers(task, registers)) {
    write_memory(task, rseq.address + still::kRseqSequence, &none, sizeof none);
  }
}

// System calls in which tasks were stopped.
class Calls {
 public:
  void remember(pid_t task, const user_regs_struct& registers) {
    if (count_ == room_) {
      const size_t room = room_ == 0 ? 64 : 2 * room_;
      void* more = ::realloc(calls_, room * sizeof(Call));
      if (more == nullptr) return;
      calls_ = static_cast<Call*>(more);
      room_ = room;
    }
    calls_[count_++] = {task, registers.orig_rax, registers.rax, registers.rip, registers.rsp};
  }
  // Where the registers are those of such a call as CRIU has them.
  bool put_back(pid_t task, user_regs_struct& registers) const {
    for (size_t i = 0; i < count_; ++i) {
      const Call& call = calls_[i];
      if (call.task != task || call.number != registers.orig_rax || call.rsp != registers.rsp) {
        continue;
      }
      const bool ends = registers.rip == call.rip && static_cast<int64_t>(registers.rax) == -EINTR;
      const bool begins_anew =
          registers.rip == call.rip - still::kSystemCallSize && registers.rax == call.number;
      if (!ends && !begins_anew) continue;
      registers.rax = call.result;
      registers.rip = call.rip;
      return true;
    }
    return false;
  }

 private:
  struct Call {
    pid_t task;
    uint64_t number, result, rip, rsp;
  };

  Call* calls_ = nullptr;
  size_t count_ = 0;
  size_t room_ = 0;
};

Calls g_calls;

void undo_interruption(pid_t task, user_regs_struct& registers) {
  if (!still::was_ended_by_stop(registers.orig_rax, registers.rax)) return;
  registers.rax = static_cast<uint64_t>(still::kRestartsUnlessHandled);
  write_registers(task, registers);
}

// The task has just stopped, and nobody has touched it yet.
void begin_stop(pid_t task) {
  user_regs_struct registers = {};
  if (!read_registers(task, registers)) return;
  leave_sequence(task, registers);
  undo_interruption(task, registers);
  if (still::is_interrupted(registers.orig_rax, registers.rax)) {
    g_calls.remember(task, registers);
  }
}

// The task is about to run on, or to be frozen.
void end_stop(pid_t task) {
  user_regs_struct registers = {};
  if (!read_registers(task, registers)) return;
  if (g_calls.put_back(task, registers)) {
    write_registers(task, registers);
  } else {
    // CRIU only held it: one of the cgroup that it does not dump.
    undo_interruption(task, registers);
  }
}

// From the frame into the thread.
bool set_extended_state(pid_t task, const still::SignalFrame& frame) {
  alignas(64) static char state[kMostExtendedState];
  iovec place{state, sizeof state};
  // How much it has to be.
  if (trace(PTRACE_GETREGSET, task, number(NT_X86_XSTATE), &place) != 0) return false;
  still::SoftwareBytes software = {};
  if (!read_memory(task, frame.extended_state + still::kSoftwareBytesOffset, &software,
                   sizeof software) ||
      software.magic != still::kExtendedStateMagic) {
    return false;
  }
  std::memset(state, 0, place.iov_len);
  const size_t size = software.size < place.iov_len ? software.size : place.iov_len;
  return read_memory(task, frame.extended_state, state, size) &&
         trace(PTRACE_SETREGSET, task, number(NT_X86_XSTATE), &place) == 0;
}

void set_general_registers(user_regs_struct& registers, const still::SignalFrame& frame) {
  registers.r8 = frame.r8;
  registers.r9 = frame.r9;
  registers.r10 = frame.r10;
  registers.r11 = frame.r11;
  registers.r12 = frame.r12;
  registers.r13 = frame.r13;
  registers.r14 = frame.r14;
  registers.r15 = frame.r15;
  registers.rdi = frame.rdi;
  registers.rsi = frame.rsi;
  registers.rbp = frame.rbp;
  registers.rbx = frame.rbx;
  registers.rdx = frame.rdx;
  registers.rax = frame.rax;
  registers.rcx = frame.rcx;
  registers.rsp = frame.rsp;
  registers.rip = frame.rip;
  registers.eflags = frame.eflags;
  registers.cs = frame.cs;
}

// The task is about to go on. Where that is into rt_sigreturn(2) it is made to be where that leads
// to, and its call to be none. CRIU may die after each step.
void leave_out_sigreturn(pid_t task) {
  constexpr uint64_t kNoCall = ~uint64_t{0};
  user_regs_struct registers = {};
  still::SignalFrame frame = {};
  const bool enters = read_registers(task, registers) && registers.orig_rax == SYS_rt_sigreturn &&
                      static_cast<int64_t>(registers.rax) == -ENOSYS;
  if (!enters ||
      !read_memory(task, registers.rsp - sizeof frame.return_address, &frame, sizeof frame) ||
      !set_extended_state(task, frame) ||
      trace(kSetSignalMask, task, number(sizeof frame.mask), &frame.mask) != 0) {
    return;
  }
  set_general_registers(registers, frame);
  registers.orig_rax = kNoCall;
  write_registers(task, registers);
}

}  // namespace

// Under another name here: glibc declares the request as an enumeration, behind which va_start does
// not find the other arguments by the rules.
EXPORTED long ptrace_for_criu(int request, ...) noexcept __asm__("ptrace");

long ptrace_for_criu(int request, ...) noexcept {
  va_list arguments;
  va_start(arguments, request);
  const pid_t task = va_arg(arguments, pid_t);
  const void* address = va_arg(arguments, const void*);
  void* data = va_arg(arguments, void*);
  va_end(arguments);
  switch (request) {
    case PTRACE_SEIZE:
      if (!may_seize()) return -1;
      break;
    case PTRACE_POKEDATA:
    case PTRACE_POKETEXT:
    case PTRACE_SETREGS:
    case PTRACE_SETREGSET:
    case static_cast<int>(kSetSignalMask):
      tasks_are_changed();
      break;
    default:
      break;
  }
  if (request == PTRACE_SYSCALL) leave_out_sigreturn(task);
  if (request == PTRACE_DETACH) end_stop(task);
  const long result = trace(request, task, address, data);
  if (request == PTRACE_GETSIGINFO && result == 0) {
    // CRIU asks it of each task that it has stopped, before anything else.
    const int code = static_cast<const siginfo_t*>(data)->si_code;
    if (code != (SIGTRAP | PTRACE_EVENT_STOP << 8)) return result;
    if (!bears_system_calls(task)) {
      give_up();
      errno = ECANCELED;
      return -1;
    }
    begin_stop(task);
  }
  return result;
}
