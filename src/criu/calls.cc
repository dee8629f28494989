#include "criu/calls.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "criu/image.h"
#include "criu/images.pb.h"
#include "criu/memory_images.h"
#include "os/files.h"
#include "os/stopped_thread.h"

namespace still::criu {
namespace {

// What is less can be a number, what is between them is an address: on stacks, in libraries, in
// what allocators take from the kernel.
constexpr uint64_t kNumbers = uint64_t{1} << 32;
constexpr uint64_t kEndOfAddresses = uint64_t{1} << 47;
bool is_address(uint64_t value) { return value >= kNumbers && value < kEndOfAddresses; }
bool is_address_or_none(uint64_t value) { return value == 0 || is_address(value); }

bool can_be_clock_nanosleep(const CallRegisters& r) {
  constexpr uint64_t kMostClocks = 16;
  return r.rdi < kMostClocks && r.rsi == 0 && is_address(r.rdx);
}

bool can_be_futex(const CallRegisters& r) {
  const uint64_t operation = r.rsi & ~uint64_t{FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME};
  return is_address(r.rdi) && is_address(r.r10) &&
         (operation == FUTEX_WAIT || (operation == FUTEX_WAIT_BITSET &&
                                      static_cast<uint32_t>(r.r9) == FUTEX_BITSET_MATCH_ANY));
}

bool can_be_nanosleep(const CallRegisters& r) {
  return is_address(r.rdi) && is_address_or_none(r.rsi);
}

bool can_be_poll(const CallRegisters& r) {
  constexpr uint64_t kMostDescriptors = 1 << 20;
  const auto milliseconds = static_cast<int32_t>(r.rdx);  // negative: without end
  return is_address_or_none(r.rdi) && (r.rdi == 0) == (r.rsi == 0) && r.rsi <= kMostDescriptors &&
         milliseconds != 0 && !is_address(r.rdx);
}

// nullopt if it can be several, or none.
std::optional<uint64_t> call_that_goes_on(const CallRegisters& r) {
  std::optional<uint64_t> call;
  int fitting = 0;
  const auto consider = [&](bool fits, uint64_t number) {
    if (!fits) return;
    call = number;
    ++fitting;
  };
  consider(can_be_clock_nanosleep(r), SYS_clock_nanosleep);
  consider(can_be_futex(r), SYS_futex);
  consider(can_be_nanosleep(r), SYS_nanosleep);
  consider(can_be_poll(r), SYS_poll);
  return fitting == 1 ? call : std::nullopt;
}

bool has_unblocked(const messages::SignalQueue& queue, uint64_t blocked) {
  return std::ranges::any_of(queue.signals(), [&](const messages::QueuedSignal& signal) {
    uint32_t number = 0;  // the first field of siginfo_t
    if (signal.info().size() < sizeof number) return true;
    std::memcpy(&number, signal.info().data(), sizeof number);
    return number == 0 || number > 64 || (blocked >> (number - 1) & 1) == 0;
  });
}

std::filesystem::path core_image(const std::filesystem::path& images, pid_t thread) {
  return images / formatted("core-{}.img", thread);
}

// process: of the whole process, with what its first thread's image has.
bool begin_call_anew(messages::Core& core, const messages::Process& process) {
  constexpr uint32_t kMode32 = 2;
  if (!core.machine().has_registers() || core.machine().registers().mode() == kMode32) return false;
  auto& registers = *core.mutable_machine()->mutable_registers();
  const bool was_interrupted = static_cast<int64_t>(registers.result()) == -EINTR &&
                               static_cast<int64_t>(registers.call()) >= 0;
  if (!was_interrupted) return false;
  const uint64_t blocked = core.thread().has_blocked_signals() ? core.thread().blocked_signals()
                                                               : process.blocked_signals();
  if (has_unblocked(core.thread().signals(), blocked) ||
      has_unblocked(process.signals(), blocked)) {
    return false;
  }
  const auto call = call_to_begin({.number = registers.call(),
                                   .rdi = registers.rdi(),
                                   .rsi = registers.rsi(),
                                   .rdx = registers.rdx(),
                                   .r10 = registers.r10(),
                                   .r8 = registers.r8(),
                                   .r9 = registers.r9()});
  if (!call) return false;
  registers.set_result(*call);
  registers.set_instruction(registers.instruction() - kSystemCallSize);
  return true;
}

// At every moment one of the two is there.
void replace_image(const std::filesystem::path& file, const messages::Core& core) {
  const std::filesystem::path other = file.native() + ".new";
  try {
    write_image(other, make_image(kCoreImage, core));
    if (::rename(other.c_str(), file.c_str()) != 0) {
      throw Error::system(errno, "cannot replace " + printable(file.native()));
    }
  } catch (const Error&) {
    ::unlink(other.c_str());
    throw;
  }
}

}  // namespace

std::optional<uint64_t> call_to_begin(const CallRegisters& registers) {
  switch (registers.number) {
    case SYS_nanosleep:
    case SYS_clock_nanosleep:
    case SYS_poll:
    case SYS_futex:
      return registers.number;
    case SYS_restart_syscall:
      return call_that_goes_on(registers);
    default:
      return ends_when_woken(registers.number) ? std::optional(registers.number) : std::nullopt;
  }
}

size_t begin_calls_anew(const std::filesystem::path& images) {
  size_t begun = 0;
  for (const DumpedProcess& dumped : read_processes(images)) {
    if (!path_exists(core_image(images, dumped.pid))) continue;
    const auto leader = read_single<messages::Core>(core_image(images, dumped.pid), kCoreImage);
    for (const pid_t thread : dumped.threads) {
      const auto file = core_image(images, thread);
      if (!path_exists(file)) continue;
      auto core = read_single<messages::Core>(file, kCoreImage);
      if (!begin_call_anew(core, leader.process())) continue;
      replace_image(file, core);
      ++begun;
    }
  }
  return begun;
}

}  // namespace still::criu
