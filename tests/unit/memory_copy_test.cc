// System calls injected into a real process, forks of it, and what becomes of it when the one who
// injects is killed. The process has its own opinion on whether it was harmed.
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <random>
#include <thread>

#include "base/format.h"
#include "base/text.h"
#include "criu/memory_images.h"
#include "criu_image_bytes.h"
#include "memory/copy_snapshot.h"
#include "memory/fork_copy.h"
#include "memory/injection.h"
#include "memory/merge.h"
#include "os/files.h"
#include "os/process_status.h"
#include "support.h"

namespace still::memory {
namespace {

using namespace std::chrono_literals;

constexpr int kHarmed = 3;
constexpr size_t kUsedPages = 64;
constexpr size_t kMemoryPages = kUsedPages + 4;  // the last ones are never touched

// --- the process
// ------------------------------------------------------------------------------------

struct Progress {
  std::atomic<uint64_t> steps;
  std::atomic<uint64_t> signals;
  std::atomic<uint64_t> copies;
};

// Registers that no system call may change; a signal handler's frame saves them.
bool keeps_vector_registers() {
  alignas(32) unsigned char before[32];
  alignas(32) unsigned char after[32];
  for (int i = 0; i < 32; ++i) before[i] = static_cast<unsigned char>(i * 7 + 1);
  if (__builtin_cpu_supports("avx")) {
    asm volatile(
        "vmovdqa %1, %%ymm9\n mov $2000, %%ecx\n 1: dec %%ecx\n jnz 1b\n vmovdqa %%ymm9, %0\n "
        "vzeroupper"
        : "=m"(after)
        : "m"(before)
        : "ecx", "xmm9", "memory");
    return std::memcmp(before, after, sizeof before) == 0;
  }
  asm volatile("movdqa %1, %%xmm9\n mov $2000, %%ecx\n 1: dec %%ecx\n jnz 1b\n movdqa %%xmm9, %0"
               : "=m"(after)
               : "m"(before)
               : "ecx", "xmm9", "memory");
  return std::memcmp(before, after, 16) == 0;
}

// Below the stack pointer, which a leaf function may use.
bool keeps_red_zone() {
  uint64_t value = 0;
  asm volatile(
      "movq $0x1234567, -120(%%rsp)\n mov $2000, %%ecx\n 1: dec %%ecx\n jnz 1b\n movq -120(%%rsp), "
      "%0"
      : "=r"(value)
      :
      : "ecx", "memory");
  return value == 0x1234567;
}

Progress* g_progress = nullptr;

// Descriptors that it has from us, and none of its own.
constexpr int kFirstInherited = 3;
constexpr int kLastInherited = 500;

[[noreturn]] void live(unsigned char* memory, int advice) {
  if (::madvise(memory, kMemoryPages * criu::kPageSize, advice) != 0) ::_exit(1);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGUSR1, [](int) { ++g_progress->signals; });
  ::signal(SIGUSR2, [](int) { ::close_range(kFirstInherited, kLastInherited, 0); });
  int ends[2];
  if (::pipe(ends) != 0 || ::dup2(ends[0], kLastInherited + 1) < 0 ||
      ::dup2(ends[1], kLastInherited + 2) < 0) {
    ::_exit(1);
  }
  ends[0] = kLastInherited + 1;
  ends[1] = kLastInherited + 2;
  std::thread([] {
    while (keeps_vector_registers() && keeps_red_zone()) {
    }
    ::_exit(kHarmed);
  }).detach();
  std::thread([] {
    for (;;) std::this_thread::sleep_for(1h);
  }).detach();
  for (uint64_t step = 1;; ++step) {
    uint64_t back = 0;
    const bool passed = ::write(ends[1], &step, sizeof step) == sizeof step &&
                        ::read(ends[0], &back, sizeof back) == sizeof back && back == step;
    pollfd nothing{ends[0], POLLIN, 0};
    // Also where it goes on after an end of who has stopped it, which is told as an interruption.
    const bool waited = ::poll(&nothing, 1, 0) == 0 || errno == EINTR;
    // All pages of one step; what is behind them never changes.
    for (size_t page = 0; page < kUsedPages; ++page) {
      std::memcpy(memory + page * criu::kPageSize, &step, sizeof step);
    }
    if (!passed || !waited || !keeps_vector_registers() || !keeps_red_zone()) ::_exit(kHarmed);
    g_progress->steps = step;
  }
}

class Subject {
 public:
  // advice: of madvise(2), which the process gives for its memory.
  explicit Subject(int advice = MADV_NORMAL) {
    g_progress = static_cast<Progress*>(
        ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    memory_ = static_cast<unsigned char*>(
        ::mmap(nullptr, size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    pid_ = ::fork();
    if (pid_ == 0) live(memory_, advice);
    EXPECT_TRUE(goes_on());
  }
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;
  ~Subject() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::munmap(memory_, size());
    ::munmap(g_progress, 4096);
  }

  pid_t pid() const { return pid_; }
  uint64_t memory() const { return reinterpret_cast<uint64_t>(memory_); }
  static size_t size() { return kMemoryPages * criu::kPageSize; }

  // It makes steps, and did not end.
  bool goes_on() const {
    const uint64_t before = g_progress->steps;
    for (int i = 0; i < 5000; ++i) {
      int status = 0;
      if (::waitpid(pid_, &status, WNOHANG) != 0) {
        ADD_FAILURE() << "it ended with status " << std::hex << status;
        return false;
      }
      if (g_progress->steps > before + 2) return true;
      std::this_thread::sleep_for(1ms);
    }
    return false;
  }

  std::vector<pid_t> children() const {
    std::vector<pid_t> children;
    const auto text =
        read_file_if_exists(formatted("/proc/{0}/task/{0}/children", pid_)).value_or("");
    for (const std::string& word : split(text, ' ')) {
      if (const auto child = parse_integer(word)) children.push_back(static_cast<pid_t>(*child));
    }
    return children;
  }

 private:
  pid_t pid_ = 0;
  unsigned char* memory_ = nullptr;
};

bool is_running(pid_t pid) {
  const auto status = read_file_if_exists(formatted("/proc/{}/status", pid));
  return status && !status->contains("State:\tZ") && !status->contains("State:\tX");
}

// CRIU's images of it, as far as we read them: all its memory is in a parent.
void write_images(const std::filesystem::path& images, const Subject& subject) {
  const pid_t pid = subject.pid();
  criu::write_page_map(
      images, pid, {.pages_id = 1, .ranges = {{subject.memory(), kMemoryPages, criu::kInParent}}});
  test::write_text(images / "pages-1.img", "");
  constexpr uint64_t kAnonymousPrivate = 1 << 9;
  const std::string mapping =
      test::number(1, subject.memory()) + test::number(2, subject.memory() + Subject::size()) +
      test::number(6, MAP_PRIVATE | MAP_ANONYMOUS) + test::number(7, kAnonymousPrivate);
  test::write_text(images / formatted("mm-{}.img", pid),
                   test::image(0x57492820, {test::bytes(14, mapping)}));
  const std::string no_stack = test::number(1, 0) + test::number(2, 0) + test::number(3, 2);
  test::write_text(images / formatted("core-{}.img", pid),
                   test::image(0x55053847, {test::bytes(5, test::bytes(7, no_stack))}));
  test::write_text(images / "pstree.img",
                   test::image(0x50273030, {test::number(1, static_cast<uint64_t>(pid)) +
                                            test::number(5, static_cast<uint64_t>(pid))}));
}

void copy_unprepared(ForkCopy& copy, const Subject& subject, const std::filesystem::path& images) {
  copy.hold({subject.pid()}, images);
  copy.take(deadline_in(10s));
  copy.let_go();
  copy.keep(deadline_in(10s));
}

void copy(ForkCopy& copy, const Subject& subject, const std::filesystem::path& images) {
  copy.prepare({subject.pid()});
  copy_unprepared(copy, subject, images);
}

// --- what must hold
// ---------------------------------------------------------------------------------

class MemoryCopy : public testing::Test {
 protected:
  void SetUp() override { STILL_REQUIRE_ROOT(); }
  const test::Scratch images_;
};

TEST_F(MemoryCopy, IsOfOneInstantAndTheProcessGoesOn) {
  const Subject subject;
  for (int round = 0; round < 20; ++round) {
    write_images(images_.path(), subject);
    ForkCopy fork;
    copy(fork, subject, images_.path());
    ASSERT_TRUE(subject.goes_on());
    const auto totals = merge(images_.path(), snapshots_of(fork.copies()), [] {});
    EXPECT_EQ(totals.written_bytes, kUsedPages * criu::kPageSize);
    fork.end();
    const std::string pages = read_file(images_ / "pages-1.img");
    ASSERT_EQ(pages.size(), kUsedPages * criu::kPageSize);
    uint64_t first = 0;
    uint64_t last = 0;
    std::memcpy(&first, pages.data(), sizeof first);
    std::memcpy(&last, pages.data() + pages.size() - criu::kPageSize, sizeof last);
    // It may have been in the middle of a step.
    EXPECT_TRUE(first == last || first == last + 1) << first << " " << last;
    EXPECT_GT(first, 0U);
    EXPECT_THAT(subject.children(), testing::IsEmpty());
    ASSERT_TRUE(subject.goes_on());
  }
}

// The images say so, or the kernel: CRIU 4.1.1 does not record MADV_WIPEONFORK.
TEST_F(MemoryCopy, HasWhatAForkLeavesOut) {
  const Subject subject(MADV_WIPEONFORK);
  write_images(images_.path(), subject);
  ForkCopy fork;
  copy(fork, subject, images_.path());
  // Saved from the process itself, beside what the injection has written over.
  EXPECT_TRUE(std::ranges::any_of(fork.copies().at(0).corrections, [&](const Bytes& saved) {
    return saved.address == subject.memory() && saved.bytes.size() == Subject::size();
  }));
  fork.end();
  EXPECT_TRUE(subject.goes_on());
}

TEST_F(MemoryCopy, AForkThatLeavesOutMoreThanExpectedIsRefused) {
  const Subject subject(MADV_WIPEONFORK);
  write_images(images_.path(), subject);
  ForkCopy fork;
  EXPECT_EQ(test::kind_thrown_by([&] { copy_unprepared(fork, subject, images_.path()); }),
            ErrorKind::kConflict);
  fork.end();
  EXPECT_THAT(subject.children(), testing::IsEmpty());
  EXPECT_TRUE(subject.goes_on());
}

// Some pages CRIU writes itself, in the window.
TEST_F(MemoryCopy, IsPutAroundThePagesThatCriuHasWritten) {
  const Subject subject;
  write_images(images_.path(), subject);
  const uint64_t start = subject.memory();
  const auto page = [&](uint64_t number) { return start + number * criu::kPageSize; };
  criu::write_page_map(images_.path(), subject.pid(),
                       {.pages_id = 1,
                        .ranges = {{start, 10, criu::kInParent},
                                   {page(10), 2, criu::kPresent | criu::kLazy},
                                   {page(12), kMemoryPages - 12, criu::kInParent}}});
  const std::string own(2 * criu::kPageSize, 'x');
  test::write_text(images_ / "pages-1.img", own);
  std::filesystem::create_symlink("../parent", images_ / "parent");
  ForkCopy fork;
  copy(fork, subject, images_.path());
  merge(images_.path(), snapshots_of(fork.copies()), [] {});
  fork.end();
  const std::string pages = read_file(images_ / "pages-1.img");
  EXPECT_EQ(pages.size(), kUsedPages * criu::kPageSize);
  EXPECT_EQ(pages.substr(10 * criu::kPageSize, own.size()), own);
  EXPECT_FALSE(pages.substr(0, 10 * criu::kPageSize).contains("xxxx"));
  const auto map = criu::read_page_map(images_.path(), subject.pid());
  ASSERT_EQ(map.ranges.size(), 1U);
  EXPECT_EQ(map.ranges[0].pages, kUsedPages);
  EXPECT_EQ(map.ranges[0].flags, criu::kPresent | criu::kLazy);
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(images_ / "parent")));
}

TEST_F(MemoryCopy, SignalsThatComeMeanwhileAreHandledAfterwards) {
  const Subject subject;
  write_images(images_.path(), subject);
  const uint64_t before = g_progress->signals;
  {
    ForkCopy fork;
    fork.prepare({subject.pid()});
    fork.hold({subject.pid()}, images_.path());
    ::kill(subject.pid(), SIGUSR1);
    fork.take(deadline_in(10s));
    ::kill(subject.pid(), SIGUSR1);
    fork.let_go();
    fork.keep(deadline_in(10s));
    ASSERT_TRUE(subject.goes_on());
    EXPECT_GE(g_progress->signals, before + 1);
  }
  EXPECT_THAT(subject.children(), testing::IsEmpty());
}

TEST_F(MemoryCopy, GivenUpHalfwayLeavesTheProcessAsItWas) {
  const Subject subject;
  write_images(images_.path(), subject);
  {
    ForkCopy fork;
    fork.hold({subject.pid()}, images_.path());
  }
  ASSERT_TRUE(subject.goes_on());
  {
    ForkCopy fork;
    fork.hold({subject.pid()}, images_.path());
    fork.take(deadline_in(10s));
  }
  ASSERT_TRUE(subject.goes_on());
  EXPECT_THAT(subject.children(), testing::IsEmpty());
}

TEST_F(MemoryCopy, WhatIsNotCopiedStandsStillBesideIt) {
  const Subject subject;
  write_images(images_.path(), subject);
  const pid_t beside = ::fork();
  if (beside == 0) {
    for (;;) {
    }
  }
  const auto is_traced = [&] { return process_stat(beside)->state == 't'; };
  {
    ForkCopy fork;
    fork.prepare({subject.pid()});
    fork.hold({subject.pid()}, images_.path(), {beside});
    fork.take(deadline_in(10s));
    EXPECT_TRUE(is_traced());
    EXPECT_EQ(fork.copies().size(), 1U);
    fork.let_go();
    EXPECT_FALSE(is_traced());
  }
  EXPECT_TRUE(subject.goes_on());
  ::kill(beside, SIGKILL);
  ::waitpid(beside, nullptr, 0);
}

// Even before it has a table of descriptors of its own.
TEST_F(MemoryCopy, KeepsNothingOpenThatTheProcessCloses) {
  Pipe pipe = make_pipe();
  const Subject subject;
  write_images(images_.path(), subject);
  pipe.write_end.close();
  ForkCopy fork;
  fork.prepare({subject.pid()});
  fork.hold({subject.pid()}, images_.path());
  fork.take(deadline_in(10s));
  fork.let_go();
  const auto has_ended = [&] {
    pollfd end{pipe.read_end.get(), POLLIN, 0};
    return ::poll(&end, 1, 1000) == 1;
  };
  ::kill(subject.pid(), SIGUSR2);  // it closes what it can
  EXPECT_TRUE(has_ended());
  fork.keep(deadline_in(10s));
  EXPECT_TRUE(subject.goes_on());
}

TEST_F(MemoryCopy, HasNothingElseOfTheProcess) {
  const Subject subject;
  write_images(images_.path(), subject);
  ForkCopy fork;
  copy(fork, subject, images_.path());
  const pid_t child = fork.copies().at(0).child;
  const std::filesystem::path process = formatted("/proc/{}", child);
  EXPECT_TRUE(std::filesystem::is_empty(process / "fd"));
  EXPECT_EQ(std::filesystem::read_symlink(process / "cwd"), "/");
  EXPECT_EQ(::getsid(child), child);
  EXPECT_EQ(::getpgid(child), child);
  EXPECT_FALSE(std::filesystem::is_empty(formatted("/proc/{}/fd", subject.pid())));
  fork.end();
  EXPECT_TRUE(subject.goes_on());
}

TEST_F(MemoryCopy, AKilledCopyIsNoMemory) {
  const Subject subject;
  write_images(images_.path(), subject);
  ForkCopy fork;
  copy(fork, subject, images_.path());
  ::kill(fork.copies().at(0).child, SIGKILL);
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(
      test::kind_thrown_by([&] { merge(images_.path(), snapshots_of(fork.copies()), [] {}); }),
      ErrorKind::kConflict);
  fork.end();
  EXPECT_THAT(subject.children(), testing::IsEmpty());
  EXPECT_TRUE(subject.goes_on());
}

TEST_F(MemoryCopy, MemoryThatNobodyCopiedIsMissed) {
  const Subject subject;
  write_images(images_.path(), subject);
  EXPECT_EQ(test::kind_thrown_by([&] { merge(images_.path(), {}, [] {}); }), ErrorKind::kConflict);
}

TEST_F(MemoryCopy, ATracedProcessIsRefused) {
  const Subject subject;
  write_images(images_.path(), subject);
  const pid_t debugger = ::fork();
  if (debugger == 0) {
    if (::ptrace(PTRACE_SEIZE, subject.pid(), 0, 0) != 0) ::_exit(1);
    for (;;) ::pause();
  }
  std::this_thread::sleep_for(50ms);
  {
    ForkCopy fork;
    EXPECT_EQ(test::kind_thrown_by([&] { fork.hold({subject.pid()}, images_.path()); }),
              ErrorKind::kConflict);
  }
  ::kill(debugger, SIGKILL);
  ::waitpid(debugger, nullptr, 0);
  EXPECT_TRUE(subject.goes_on());
}

TEST_F(MemoryCopy, AProcessThatTheImagesDoNotKnowIsRefused) {
  const Subject subject;
  ForkCopy fork;
  EXPECT_EQ(test::kind_thrown_by([&] { fork.hold({subject.pid()}, images_.path()); }),
            ErrorKind::kUnsupported);
}

// Killed at any instruction: the process goes on as it was, its copy does not live.
TEST_F(MemoryCopy, WhoInjectsMayDieAtAnyMoment) {
  const Subject subject;
  write_images(images_.path(), subject);
  std::minstd_rand random(7);
  std::uniform_int_distribution<int> delay_us(0, 20'000);
  constexpr int kRounds = 60;
  for (int round = 0; round < kRounds; ++round) {
    const pid_t injector = ::fork();
    if (injector == 0) {
      ForkCopy fork;
      fork.prepare({subject.pid()});
      for (;;) {
        copy_unprepared(fork, subject, images_.path());
        ++g_progress->copies;
        fork.end();
      }
    }
    for (const uint64_t before = g_progress->copies; g_progress->copies == before;) {
      ASSERT_TRUE(is_running(injector)) << "in round " << round;
      std::this_thread::sleep_for(1ms);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(delay_us(random)));
    ::kill(injector, SIGKILL);
    ::waitpid(injector, nullptr, 0);
    ASSERT_TRUE(subject.goes_on()) << "in round " << round;
    for (int i = 0; i < 1000 && std::ranges::any_of(subject.children(), is_running); ++i) {
      std::this_thread::sleep_for(1ms);
    }
    ASSERT_FALSE(std::ranges::any_of(subject.children(), is_running)) << "in round " << round;
  }
  const size_t left = subject.children().size();
  EXPECT_GT(left, 0U) << "no copy was there when its maker was killed";
  EXPECT_EQ(ForkCopy::collect_abandoned({subject.pid()}, images_.path()), left);
  EXPECT_THAT(subject.children(), testing::IsEmpty());
  EXPECT_TRUE(subject.goes_on());
}

}  // namespace
}  // namespace still::memory
