#include "memory/injection.h"

#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "base/text.h"
#include "os/proc_entries.h"
#include "os/process.h"
#include "os/stopped_thread.h"

namespace still::memory {
namespace {

constexpr uint64_t kRedZone = 128;
constexpr uint64_t kUserCode64 = 0x33;  // the code segment of 64 bits
constexpr uint64_t kAllSignals = ~uint64_t{0};
constexpr unsigned kShadowStack = 0x204;  // NT_X86_SHSTK

constexpr uint64_t kFrameFlags = 1 | 2 | 4;  // UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS
// No such mode: the kernel leaves the alternate stack as it is.
constexpr uint32_t kKeepStack = 3;

constexpr size_t kFeaturesOffset = 512;  // XSTATE_BV, in the XSAVE header
constexpr uint32_t kMagicEnd = 0x46505845;
constexpr uint64_t kAlignment = 64;

// What lies around the frame: below it what the way to the return may use, then the extended state.
constexpr uint64_t kBelow = 512;

uint64_t align_up(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }

// What the kernel would save and take back for this thread: without the components of a size that
// threads must ask for (the tiles of AMX), unless it uses them.
std::vector<std::byte> as_in_frames(std::vector<std::byte> state) {
  constexpr uint64_t kOnDemand = uint64_t{1} << 18;  // XFEATURE_XTILE_DATA
  uint64_t features = 0;
  uint64_t used = 0;
  std::memcpy(&features, state.data() + kSoftwareBytesOffset, sizeof features);
  std::memcpy(&used, state.data() + kFeaturesOffset, sizeof used);
  if ((features & kOnDemand & ~used) == 0) return state;
  features &= ~kOnDemand;
  unsigned size = 0;
  unsigned offset = 0;
  unsigned unused = 0;
  __cpuid_count(0xd, static_cast<unsigned>(std::bit_width(features) - 1), size, offset, unused,
                unused);
  state.resize(offset + size);
  std::memcpy(state.data() + kSoftwareBytesOffset, &features, sizeof features);
  return state;
}

// Of one frame with all that belongs to it.
size_t size_of(const std::vector<std::byte>& extended_state) {
  return kBelow + align_up(sizeof(SignalFrame), kAlignment) + kAlignment + extended_state.size() +
         sizeof kMagicEnd;
}

void require_ordinary(const Tracee& thread, const user_regs_struct& registers) {
  if (registers.cs != kUserCode64) {
    throw Error(ErrorKind::kUnsupported, formatted("task {} runs code of 32 bits", thread.tid()));
  }
  std::array<std::byte, 16> any{};
  iovec place{any.data(), any.size()};
  if (::ptrace(static_cast<__ptrace_request>(PTRACE_GETREGSET), thread.tid(), kShadowStack,
               &place) == 0) {
    throw Error(ErrorKind::kUnsupported, formatted("task {} has a shadow stack", thread.tid()));
  }
}

// The end of the memory for the frame.
uint64_t find_top(pid_t tid, const AddressMap& map, const criu::AlternateStack& alternate,
                  uint64_t rsp, uint64_t size) {
  const bool is_on_it = rsp - alternate.start < alternate.size;
  if (alternate.size >= size && !is_on_it && map.writable_start(alternate.start)) {
    return alternate.start + alternate.size;
  }
  const auto start = map.writable_start(rsp);
  // The first stack grows when it is written to.
  const bool grows = rsp >= map.stack_start && rsp < map.stack_end;
  if (start && (grows || rsp - *start >= size + kRedZone)) return rsp - kRedZone;
  throw Error(ErrorKind::kUnsupported,
              formatted("the stack of task {} has no room for a signal frame", tid));
}

// The address is such that the frame's end of the extended state has the alignment it needs.
uint64_t place_frame(pid_t tid, const AddressMap& map, const criu::AlternateStack& alternate,
                     const user_regs_struct& registers, const std::vector<std::byte>& state) {
  // Below it there is room for another one.
  const uint64_t size = size_of(state);
  const uint64_t top = find_top(tid, map, alternate, registers.rsp, 2 * size + kAlignment);
  return (top - size) / kAlignment * kAlignment + kBelow;
}

// As the kernel does it on its way back to an interrupted system call, but a call that would go on
// with the time that is left begins anew: the frame cannot hold that. Which call it is the kernel
// alone knows where it has gone on like this before.
user_regs_struct after_interruption(user_regs_struct registers) {
  if (static_cast<int64_t>(registers.orig_rax) < 0) return registers;
  switch (static_cast<int64_t>(registers.rax)) {
    case kContinues:
      if (registers.orig_rax == SYS_restart_syscall) {
        registers.rax = static_cast<uint64_t>(-EINTR);
        return registers;
      }
      [[fallthrough]];
    case kRestarts:
    case kRestartsAlways:
    case kRestartsUnlessHandled:
      registers.rax = registers.orig_rax;
      registers.rip -= kSystemCallSize;
      return registers;
    default:
      return registers;
  }
}

std::vector<std::byte> build(uint64_t address, const Landing& landing,
                             const user_regs_struct& registers, uint64_t mask,
                             const std::vector<std::byte>& extended_state) {
  const uint64_t state_offset = align_up(address + sizeof(SignalFrame), kAlignment) - address;
  std::vector<std::byte> bytes(state_offset + extended_state.size() + sizeof kMagicEnd);
  const user_regs_struct r = after_interruption(registers);
  const SignalFrame frame{.return_address = landing.leave_handler,
                          .flags = kFrameFlags,
                          .link = 0,
                          .stack_start = 0,
                          .stack_flags = kKeepStack,
                          .padding = 0,
                          .stack_size = 0,
                          .r8 = r.r8,
                          .r9 = r.r9,
                          .r10 = r.r10,
                          .r11 = r.r11,
                          .r12 = r.r12,
                          .r13 = r.r13,
                          .r14 = r.r14,
                          .r15 = r.r15,
                          .rdi = r.rdi,
                          .rsi = r.rsi,
                          .rbp = r.rbp,
                          .rbx = r.rbx,
                          .rdx = r.rdx,
                          .rax = r.rax,
                          .rcx = r.rcx,
                          .rsp = r.rsp,
                          .rip = r.rip,
                          .eflags = r.eflags,
                          .cs = static_cast<uint16_t>(r.cs),
                          .gs = 0,
                          .fs = 0,
                          .ss = static_cast<uint16_t>(r.ss),
                          .error = 0,
                          .trap = 0,
                          .old_mask = 0,
                          .cr2 = 0,
                          .extended_state = address + state_offset,
                          .reserved = {},
                          .mask = mask,
                          .siginfo = {}};
  std::memcpy(bytes.data(), &frame, sizeof frame);
  std::byte* state = bytes.data() + state_offset;
  std::ranges::copy(extended_state, state);
  SoftwareBytes software{
      .magic = kExtendedStateMagic,
      .extended_size = static_cast<uint32_t>(extended_state.size() + sizeof kMagicEnd),
      .features = 0,
      .size = static_cast<uint32_t>(extended_state.size())};
  // ptrace gives the mask in the first of the software's bytes.
  std::memcpy(&software.features, state + kSoftwareBytesOffset, sizeof software.features);
  std::memcpy(state + kSoftwareBytesOffset, &software, sizeof software);
  std::memcpy(state + extended_state.size(), &kMagicEnd, sizeof kMagicEnd);
  return bytes;
}

void verify(pid_t pid, const Landing& landing) {
  std::array<unsigned char, 2> call{};
  std::array<unsigned char, 3> leave{};
  read_memory(pid, landing.system_call, call.data(), call.size());
  read_memory(pid, landing.leave_handler, leave.data(), leave.size());
  const bool there = call == std::array<unsigned char, 2>{0x0f, 0x05} &&
                     (leave == std::array<unsigned char, 3>{0x48, 0xc7, 0xc0} ||
                      leave == std::array<unsigned char, 3>{0xb8, 15, 0});
  if (!there) {
    throw Error(ErrorKind::kUnsupported, formatted("process {} changes its own code", pid));
  }
}

uint64_t lowest_free_descriptor(pid_t process) {
  std::set<uint64_t> open;
  for_each_proc_entry(formatted("/proc/{}/fd", process), [&](const std::filesystem::path& entry) {
    if (const auto number = parse_integer(entry.filename().native())) {
      open.insert(static_cast<uint64_t>(*number));
    }
  });
  uint64_t lowest = 0;
  while (open.contains(lowest)) ++lowest;
  return lowest;
}

user_regs_struct registers_outside_of_sequences(Tracee& thread) {
  thread.leave_sequence();
  return thread.registers();
}

}  // namespace

Injection::Injection(Tracee& thread, const Landing& landing, const AddressMap& map,
                     const criu::AlternateStack& alternate_stack)
    : thread_(thread),
      landing_(landing),
      registers_(registers_outside_of_sequences(thread)),
      mask_(thread.signal_mask()),
      extended_state_(as_in_frames(thread.extended_state())),
      frame_(place_frame(thread.tid(), map, alternate_stack, registers_, extended_state_)),
      before_(frame_ - align_up(size_of(extended_state_), kAlignment)) {
  require_ordinary(thread, registers_);
  verify(thread.tid(), landing);
  overwritten_ = save(thread.tid(), before_ - kBelow, frame_ - before_ + size_of(extended_state_));
  write_frame(frame_, registers_, mask_);
}

void Injection::write_frame(uint64_t address, const user_regs_struct& registers, uint64_t mask) {
  const auto frame = build(address, landing_, registers, mask, extended_state_);
  write_memory(thread_.tid(), address, frame.data(), frame.size());
}

Injection::~Injection() {
  try {
    set_back();
  } catch (const Error& error) {
    log(LogLevel::kError, error.message());
  }
}

// In an order in which every step may be the last.
void Injection::set_back() {
  thread_.set_signal_mask(mask_);
  thread_.set_registers(registers_);
  write_memory(thread_.tid(), overwritten_.address, overwritten_.bytes.data(),
               overwritten_.bytes.size());
}

user_regs_struct Injection::registers_for(const Call& call) const {
  user_regs_struct r = registers_;
  r.rip = landing_.system_call;
  // The way to the return ends at the frame's first word, and rt_sigreturn finds the frame there.
  r.rsp = r.rbp = call.frame - static_cast<uint64_t>(landing_.return_slot);
  r.rax = static_cast<uint64_t>(call.number);
  r.orig_rax = static_cast<uint64_t>(-1);  // nothing to be restarted
  r.rdi = call.arguments[0];
  r.rsi = call.arguments[1];
  r.rdx = call.arguments[2];
  r.r10 = call.arguments[3];
  r.r8 = 0;
  return r;
}

Tracee::Result Injection::make(const Call& call, Deadline deadline) {
  thread_.set_registers(registers_for(call));
  thread_.set_signal_mask(kAllSignals);
  return thread_.run_system_call(deadline);
}

pid_t Injection::fork(Deadline deadline) {
  // The kernel writes the child's number over the upper half of the return address, in the child
  // alone: without us it returns to where nothing is, and a signal that it cannot handle ends it.
  constexpr uint64_t kUpperHalf = 4;
  const auto result =
      make({.number = SYS_clone,
            .arguments = {CLONE_CHILD_SETTID | CLONE_FILES, 0, 0, frame_ + kUpperHalf},
            .frame = frame_},
           deadline);
  if (result.child) return *result.child;
  throw Error(ErrorKind::kConflict, formatted("process {} cannot be copied: {}", thread_.tid(),
                                              std::strerror(static_cast<int>(-result.value))));
}

void Injection::reap(pid_t child, Deadline deadline) {
  const auto result = make({.number = SYS_wait4,
                            .arguments = {static_cast<uint64_t>(child), 0, WNOHANG | __WALL, 0},
                            .frame = frame_},
                           deadline);
  if (result.value == child || result.value == -ECHILD) return;
  throw Error(ErrorKind::kRuntime,
              formatted("process {} does not collect its copy: {}", thread_.tid(),
                        std::strerror(static_cast<int>(-result.value))));
}

Fd Injection::open_userfaultfd(Deadline deadline) {
  if (thread_.is_filtered()) {
    throw Error(ErrorKind::kUnsupported,
                formatted("task {} has a seccomp filter that holds for our calls", thread_.tid()));
  }
  const auto fail = [&](int number) {
    return Error(ErrorKind::kConflict, formatted("the memory of process {} cannot be protected: {}",
                                                 thread_.tid(), std::strerror(number)));
  };
  // The number that it will have: nobody else opens any now.
  const uint64_t descriptor = lowest_free_descriptor(thread_.tid());
  const Call close{.number = SYS_close, .arguments = {descriptor}, .frame = frame_};
  write_frame(before_, registers_for(close), kAllSignals);
  // Without the right to more (vm.unprivileged_userfaultfd) a process may have one that does not
  // wait for others in faults of the kernel; here nobody ever waits.
  const auto opened = make({.number = SYS_userfaultfd,
                            .arguments = {O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY},
                            .frame = before_},
                           deadline);
  if (opened.value < 0) throw fail(static_cast<int>(-opened.value));
  const auto process = open_pidfd(thread_.tid());
  const int ours =
      process ? static_cast<int>(::syscall(SYS_pidfd_getfd, process->get(), opened.value, 0)) : -1;
  const int error_number = process ? errno : ESRCH;
  make({.number = SYS_close, .arguments = {static_cast<uint64_t>(opened.value)}, .frame = frame_},
       deadline);
  if (ours < 0) throw fail(error_number);
  return Fd(ours);
}

}  // namespace still::memory
