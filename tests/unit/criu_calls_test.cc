// Which interrupted system calls begin anew in a copy, and the images that say so.
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include <cerrno>
#include <format>
#include <string>

#include "criu/calls.h"
#include "criu/image.h"
#include "criu/images.pb.h"
#include "criu_image_bytes.h"
#include "support.h"

namespace still::criu {
namespace {

constexpr uint64_t kStack = 0x7ffd00001000;
constexpr uint64_t kHeap = 0x7f1200001000;
constexpr uint64_t kInstruction = 0x401002;
constexpr uint64_t kInterrupted = static_cast<uint64_t>(-EINTR);

TEST(CriuCalls, SleepsBeginAnew) {
  for (const uint64_t call : {SYS_nanosleep, SYS_clock_nanosleep, SYS_poll, SYS_futex,
                              SYS_epoll_wait, SYS_semtimedop, SYS_rt_sigtimedwait, SYS_recvfrom}) {
    EXPECT_EQ(call_to_begin({.number = call}), call) << call;
  }
}

// What was done before it was interrupted would be done twice, or cannot be.
TEST(CriuCalls, OtherCallsDoNot) {
  for (const uint64_t call : {SYS_close, SYS_ioctl, SYS_wait4, SYS_futex_waitv}) {
    EXPECT_EQ(call_to_begin({.number = call}), std::nullopt) << call;
  }
}

TEST(CriuCalls, ACallThatHasGoneOnOnceIsKnownByItsArguments) {
  constexpr uint64_t kAgain = SYS_restart_syscall;
  const CallRegisters clock{.number = kAgain, .rdi = 0, .rsi = 0, .rdx = kStack, .r10 = kStack};
  EXPECT_EQ(call_to_begin(clock), SYS_clock_nanosleep);
  const CallRegisters nanosleep{.number = kAgain, .rdi = kStack, .rsi = kStack};
  EXPECT_EQ(call_to_begin(nanosleep), SYS_nanosleep);
  const CallRegisters poll{.number = kAgain, .rdi = kHeap, .rsi = 3, .rdx = 60'000};
  EXPECT_EQ(call_to_begin(poll), SYS_poll);
  const CallRegisters poll_of_nothing{.number = kAgain, .rdx = 60'000};
  EXPECT_EQ(call_to_begin(poll_of_nothing), SYS_poll);
  for (const uint64_t without_end : {uint64_t{0xffffffff}, ~uint64_t{0}}) {
    EXPECT_EQ(call_to_begin({.number = kAgain, .rdi = kHeap, .rsi = 1, .rdx = without_end}),
              SYS_poll);
    EXPECT_EQ(call_to_begin({.number = kAgain, .rdx = without_end}), SYS_poll);
  }
  const CallRegisters futex{.number = kAgain,
                            .rdi = kHeap,
                            .rsi = FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME,
                            .r10 = kStack,
                            .r9 = FUTEX_BITSET_MATCH_ANY};
  EXPECT_EQ(call_to_begin(futex), SYS_futex);
}

TEST(CriuCalls, ACallThatCannotBeToldEndsInterrupted) {
  // A sleep that wants no rest, or a wait for a futex of several processes.
  const CallRegisters either{
      .number = SYS_restart_syscall, .rdi = kHeap, .rsi = 0, .rdx = 0, .r10 = kStack};
  EXPECT_EQ(call_to_begin(either), std::nullopt);
  EXPECT_EQ(call_to_begin({.number = SYS_restart_syscall, .rdi = 5, .rsi = 5, .rdx = 5}),
            std::nullopt);
}

// --- images
// --------------------------------------------------------------------------------------

struct Task {
  uint64_t call = SYS_nanosleep;
  uint64_t result = kInterrupted;
  uint64_t waiting_signal = 0;
  uint64_t blocked_signals = 0;
  bool is_32_bits = false;
};

class CriuCallImages : public testing::Test {
 protected:
  // Of process 1 with one thread.
  void write(const Task& task) const {
    std::string registers = test::number(11, task.result) + test::number(15, kStack) +
                            test::number(16, task.call) + test::number(17, kInstruction) +
                            test::number(20, kStack);  // rsp, which we do not know
    if (task.is_32_bits) registers += test::number(28, 2);
    const std::string machine = test::number(1, 7) + test::bytes(2, registers);
    std::string process = test::number(1, 1) + test::number(5, task.blocked_signals);
    if (task.waiting_signal != 0) {
      std::string info = test::word(static_cast<uint32_t>(task.waiting_signal));
      info.resize(128);
      process += test::bytes(10, test::bytes(1, test::bytes(1, info)));
    }
    const std::string core = test::number(1, 1) + test::bytes(2, machine) + test::bytes(3, process);
    test::write_text(images_ / "core-1.img", test::image(kCoreImage.type, {core}));
    test::write_text(images_ / "pstree.img",
                     test::image(kTreeImage.type, {test::number(1, 1) + test::number(5, 1)}));
  }
  messages::Core core() const {
    return read_single<messages::Core>(images_ / "core-1.img", kCoreImage);
  }
  size_t begin() const { return begin_calls_anew(images_.path()); }

  const test::Scratch images_;
};

TEST_F(CriuCallImages, SayThatTheCallBeginsAnew) {
  write({});
  const std::string before = core().SerializeAsString();
  EXPECT_EQ(begin(), 1U);
  const auto registers = core().machine().registers();
  EXPECT_EQ(registers.result(), uint64_t{SYS_nanosleep});
  EXPECT_EQ(registers.instruction(), kInstruction - 2);
  // The rest is as it was.
  auto back = core();
  back.mutable_machine()->mutable_registers()->set_result(kInterrupted);
  back.mutable_machine()->mutable_registers()->set_instruction(kInstruction);
  EXPECT_EQ(back.SerializeAsString(), before);
  EXPECT_EQ(begin(), 0U);
}

TEST_F(CriuCallImages, SayWhatTheySaidOfOtherTasks) {
  const uint64_t none = ~uint64_t{0};
  for (const Task& task : {Task{.call = SYS_close}, Task{.call = none}, Task{.result = 0},
                           Task{.is_32_bits = true}, Task{.waiting_signal = 15}}) {
    write(task);
    EXPECT_EQ(begin(), 0U);
  }
}

TEST_F(CriuCallImages, ASignalThatIsBlockedInterruptsNothing) {
  write({.waiting_signal = 15, .blocked_signals = uint64_t{1} << 14});
  EXPECT_EQ(begin(), 1U);
}

}  // namespace
}  // namespace still::criu
