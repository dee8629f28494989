#include "memory/tracee.h"

#include <elf.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include <bit>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "os/process_status.h"
#include "os/stopped_thread.h"

namespace still::memory {
namespace {

// linux/ptrace.h, which cannot be included beside sys/ptrace.h.
constexpr unsigned kGetSignalMask = 0x420a;
constexpr unsigned kSetSignalMask = 0x420b;
constexpr uint64_t kSuspendSeccomp = 1 << 21;

constexpr int kSystemCallStop = SIGTRAP | 0x80;  // with PTRACE_O_TRACESYSGOOD
constexpr size_t kMostExtendedState = size_t{64} << 10;

long trace(unsigned request, pid_t tid, uint64_t address, const void* data) {
  return ::ptrace(static_cast<__ptrace_request>(request), tid, std::bit_cast<void*>(address), data);
}

void must(long result, pid_t tid, const char* what) {
  if (result < 0) throw Error::system(errno, formatted("cannot {} task {}", what, tid));
}

void* pointer(uint64_t value) { return std::bit_cast<void*>(value); }

// A task that is killed says so at once, but for an init: it waits for all its processes first, and
// those that are held wait for us. So it is looked for when nothing has been heard for this long.
constexpr std::chrono::milliseconds kBetweenLooks{20};

bool is_ending(pid_t tid) {
  const auto stat = process_stat(tid);
  return !stat || stat->is_ending();
}

Error killed(pid_t tid) { return {ErrorKind::kConflict, formatted("task {} was killed", tid)}; }

// Sleeps for a moment; the task is the one that is waited for. Throws Error(kTimeout).
void pause_until(Deadline deadline, pid_t tid) {
  if (is_past(deadline)) {
    throw Error(ErrorKind::kTimeout, formatted("task {} does not stop", tid),
                "it is probably stuck in the kernel");
  }
  constexpr timespec kMoment{.tv_sec = 0, .tv_nsec = 10'000};
  ::nanosleep(&kMoment, nullptr);
}

// The options of every task of ours, and more. request: one that sets them.
long trace_with_options(unsigned request, pid_t tid, uint64_t more) {
  const uint64_t options = PTRACE_O_TRACESYSGOOD | more;
  const long result = trace(request, tid, 0, pointer(options | kSuspendSeccomp));
  // Without CAP_SYS_ADMIN the container's filter holds for our calls, too.
  return result < 0 && errno == EPERM ? trace(request, tid, 0, pointer(options)) : result;
}

}  // namespace

std::optional<Tracee> Tracee::seize(pid_t tid) {
  const long result = trace_with_options(PTRACE_SEIZE, tid, PTRACE_O_TRACECLONE);
  const int number = result < 0 ? errno : 0;
  if (number == ESRCH || (number == EPERM && is_ending(tid))) return std::nullopt;
  if (number == EPERM && tracer_of(tid) != 0) {
    throw Error(ErrorKind::kConflict,
                formatted("task {} is traced by process {}", tid, tracer_of(tid)));
  }
  if (number != 0) throw Error::system(number, formatted("cannot trace task {}", tid));
  Tracee tracee(tid);
  if (trace(PTRACE_INTERRUPT, tid, 0, nullptr) < 0) {
    if (errno == ESRCH) return std::nullopt;
    throw Error::system(errno, formatted("cannot stop task {}", tid));
  }
  return tracee;
}

bool Tracee::is_filtered() const {
  const bool has_filter = process_status_field(tid_, "Seccomp").value_or("0") != "0";
  constexpr uint64_t kSuspended = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | kSuspendSeccomp;
  return has_filter && trace(PTRACE_SETOPTIONS, tid_, 0, pointer(kSuspended)) < 0;
}

Tracee Tracee::adopt(pid_t child, Deadline deadline) {
  Tracee tracee(child);
  wait_until_stopped({&tracee}, deadline);
  if (tracee.has_ended()) {
    throw Error(ErrorKind::kConflict, formatted("the copy {} was killed", child));
  }
  must(trace_with_options(PTRACE_SETOPTIONS, child, PTRACE_O_EXITKILL), child, "keep");
  return tracee;
}

Tracee::Tracee(Tracee&& other) noexcept
    : tid_(std::exchange(other.tid_, 0)), ending_(other.ending_) {}

Tracee& Tracee::operator=(Tracee&& other) noexcept {
  detach();
  tid_ = std::exchange(other.tid_, 0);
  ending_ = other.ending_;
  return *this;
}

Tracee::~Tracee() { detach(); }

void Tracee::detach() noexcept {
  if (tid_ == 0) return;
  const pid_t tid = std::exchange(tid_, 0);
  if (trace(PTRACE_DETACH, tid, 0, nullptr) == 0) return;
  // The thread has not stopped yet, or has ended: a zombie of one that we trace waits for us.
  int status = 0;
  ::waitpid(tid, &status, __WALL | WNOHANG);
  trace(PTRACE_DETACH, tid, 0, nullptr);
}

void Tracee::end(pid_t child) noexcept {
  ::kill(child, SIGKILL);
  siginfo_t info;
  while (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT | __WALL) < 0 &&
         errno == EINTR) {
  }
}

void Tracee::kill(pid_t child) noexcept {
  ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, __WALL) == child && !WIFEXITED(status) && !WIFSIGNALED(status)) {
  }
}

std::optional<int> Tracee::poll_status() const {
  int status = 0;
  pid_t got = 0;
  while ((got = ::waitpid(tid_, &status, __WALL | WNOHANG)) < 0 && errno == EINTR) {
  }
  if (got < 0) throw Error::system(errno, formatted("task {}", tid_));
  return got == tid_ ? std::optional(status) : std::nullopt;
}

int Tracee::wait_for_status(Deadline deadline) const {
  for (Deadline look = deadline_in(kBetweenLooks);;) {
    if (const auto status = poll_status()) return *status;
    if (is_past(look)) {
      if (is_ending(tid_)) throw killed(tid_);
      look = deadline_in(kBetweenLooks);
    }
    pause_until(deadline, tid_);
  }
}

bool Tracee::poll_stopped() {
  while (const auto status = poll_status()) {
    if (!WIFSTOPPED(*status)) {
      tid_ = 0;
      return true;
    }
    if (*status >> 16 == PTRACE_EVENT_STOP) {
      undo_interruption();
      return true;
    }
    // A signal that was on its way: it is given to the thread, and the stop comes after it.
    if (trace(PTRACE_CONT, tid_, 0, pointer(static_cast<uint64_t>(WSTOPSIG(*status)))) < 0 &&
        errno != ESRCH) {
      throw Error::system(errno, formatted("cannot go on with task {}", tid_));
    }
  }
  return false;
}

void Tracee::wait_until_stopped(std::vector<Tracee*> tracees, Deadline deadline) {
  for (Deadline look = deadline_in(kBetweenLooks);;) {
    std::erase_if(tracees, [](Tracee* tracee) { return tracee->poll_stopped(); });
    if (is_past(look)) {
      std::erase_if(tracees,
                    [](Tracee* tracee) { return tracee->ending_ = is_ending(tracee->tid_); });
      look = deadline_in(kBetweenLooks);
    }
    if (tracees.empty()) return;
    pause_until(deadline, tracees.front()->tid_);
  }
}

user_regs_struct Tracee::registers() const {
  user_regs_struct registers{};
  iovec place{&registers, sizeof registers};
  must(trace(PTRACE_GETREGSET, tid_, NT_PRSTATUS, &place), tid_, "read the registers of");
  if (place.iov_len != sizeof registers) {
    throw Error(ErrorKind::kUnsupported, formatted("task {} is not one of x86-64", tid_));
  }
  return registers;
}

void Tracee::set_registers(const user_regs_struct& registers) {
  iovec place{const_cast<user_regs_struct*>(&registers), sizeof registers};
  must(trace(PTRACE_SETREGSET, tid_, NT_PRSTATUS, &place), tid_, "write the registers of");
}

uint64_t Tracee::signal_mask() const {
  uint64_t mask = 0;
  must(trace(kGetSignalMask, tid_, sizeof mask, &mask), tid_, "read the signal mask of");
  return mask;
}

void Tracee::set_signal_mask(uint64_t mask) {
  must(trace(kSetSignalMask, tid_, sizeof mask, &mask), tid_, "write the signal mask of");
}

std::vector<std::byte> Tracee::extended_state() const {
  std::vector<std::byte> state(kMostExtendedState);
  iovec place{state.data(), state.size()};
  must(trace(PTRACE_GETREGSET, tid_, NT_X86_XSTATE, &place), tid_, "read the registers of");
  state.resize(place.iov_len);
  return state;
}

void Tracee::leave_sequence() {
  RseqConfiguration rseq{};
  if (trace(kGetRseqConfiguration, tid_, sizeof rseq, &rseq) < 0 || rseq.address == 0) return;
  uint64_t address = 0;
  read_memory(tid_, rseq.address + kRseqSequence, &address, sizeof address);
  if (address == 0) return;
  RseqSequence sequence{};
  read_memory(tid_, address, &sequence, sizeof sequence);
  user_regs_struct outside = registers();
  const auto abort = sequence.abort_address(outside.rip);
  if (!abort) return;
  // In this order: without us it goes on there, registered or not.
  outside.rip = *abort;
  set_registers(outside);
  constexpr uint64_t kNone = 0;
  write_memory(tid_, rseq.address + kRseqSequence, &kNone, sizeof kNone);
}

void Tracee::undo_interruption() const {
  user_regs_struct registers{};
  iovec place{&registers, sizeof registers};
  if (trace(PTRACE_GETREGSET, tid_, NT_PRSTATUS, &place) < 0 || place.iov_len < sizeof registers ||
      !was_ended_by_stop(registers.orig_rax, registers.rax)) {
    return;
  }
  registers.rax = static_cast<uint64_t>(kRestartsUnlessHandled);
  trace(PTRACE_SETREGSET, tid_, NT_PRSTATUS, &place);
}

Tracee::Result Tracee::run_system_call(Deadline deadline) {
  Result result;
  // Its entry, perhaps a child, its end.
  for (bool entered = false;;) {
    must(trace(PTRACE_SYSCALL, tid_, 0, nullptr), tid_, "go on with");
    const int status = wait_for_status(deadline);
    if (!WIFSTOPPED(status)) throw killed(std::exchange(tid_, 0));
    if (WSTOPSIG(status) == kSystemCallStop) {
      if (std::exchange(entered, true)) break;
    } else if (status >> 16 == PTRACE_EVENT_CLONE) {
      uint64_t child = 0;
      must(trace(PTRACE_GETEVENTMSG, tid_, 0, &child), tid_, "ask");
      result.child = static_cast<pid_t>(child);
    }
    // Other stops are of the group, or of its end: it goes on.
  }
  result.value = static_cast<int64_t>(registers().rax);
  return result;
}

void read_memory(pid_t pid, uint64_t address, void* to, size_t size) {
  const iovec here{to, size};
  const iovec there{pointer(address), size};
  const ssize_t got = ::process_vm_readv(pid, &here, 1, &there, 1, 0);
  if (got == static_cast<ssize_t>(size)) return;
  throw Error::system(got < 0 ? errno : EFAULT,
                      formatted("cannot read memory of process {} at {:#x}", pid, address));
}

Bytes save(pid_t pid, uint64_t address, size_t size) {
  Bytes saved{.address = address, .bytes = std::vector<std::byte>(size)};
  read_memory(pid, address, saved.bytes.data(), size);
  return saved;
}

void write_memory(pid_t pid, uint64_t address, const void* from, size_t size) {
  const iovec here{const_cast<void*>(from), size};
  const iovec there{pointer(address), size};
  const ssize_t got = ::process_vm_writev(pid, &here, 1, &there, 1, 0);
  if (got == static_cast<ssize_t>(size)) return;
  throw Error::system(got < 0 ? errno : EFAULT,
                      formatted("cannot write memory of process {} at {:#x}", pid, address));
}

}  // namespace still::memory
