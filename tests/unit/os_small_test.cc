// Descriptors, temporary directories, clocks.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "os/clock.h"
#include "os/fd.h"
#include "os/files.h"
#include "os/maps.h"
#include "os/process.h"
#include "os/process_status.h"
#include "os/temp_dir.h"
#include "support.h"

namespace still {
namespace {

using test::Scratch;
using test::write_text;
using testing::MatchesRegex;
using testing::StartsWith;

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(Descriptor, ClosesWithItsOwner) {
  int number = -1;
  {
    const Fd fd = open_file("/dev/null", O_RDONLY);
    number = fd.get();
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(Descriptor, MovesWithoutClosing) {
  Fd first = open_file("/dev/null", O_RDONLY);
  const int number = first.get();
  Fd second = std::move(first);
  EXPECT_EQ(second.get(), number);
  Fd third = open_file("/dev/null", O_RDONLY);
  const int replaced = third.get();
  third = std::move(second);
  EXPECT_EQ(third.get(), number);
  EXPECT_FALSE(is_open(replaced));
  EXPECT_TRUE(is_open(number));
}

TEST(Descriptor, CanBeGivenUpAndDuplicated) {
  Fd fd = open_file("/dev/null", O_RDONLY);
  const Fd copy = fd.duplicate();
  EXPECT_NE(copy.get(), fd.get());
  EXPECT_TRUE(::fcntl(copy.get(), F_GETFD) & FD_CLOEXEC);
  const int raw = fd.release();
  EXPECT_TRUE(is_open(raw));
  ::close(raw);
  fd = open_file("/dev/null", O_RDONLY);
  const int number = fd.get();
  fd.close();
  EXPECT_FALSE(is_open(number));
}

TEST(TemporaryDirectory, IsPrivateAndGoesWithItsOwner) {
  const Scratch scratch;
  std::filesystem::path path;
  {
    const TempDir directory(scratch.path(), "prefix-");
    path = directory.path();
    EXPECT_THAT(path.filename().native(), StartsWith("prefix-"));
    EXPECT_EQ(stat_fd(test::open_dir(path)).st_mode & 07777, 0700U);
    write_text(path / "file", "x");
  }
  EXPECT_FALSE(path_exists(path));
}

TEST(TemporaryDirectory, CanBeKeptMovedAndRemovedEarly) {
  const Scratch scratch;
  TempDir kept(scratch.path(), "a");
  const auto path = kept.keep();
  {
    const TempDir moved = std::move(kept);
  }
  EXPECT_TRUE(path_exists(path));
  TempDir early(scratch.path(), "b");
  const auto gone = early.path();
  early.remove();
  EXPECT_FALSE(path_exists(gone));
}

TEST(Clock, InstantsHaveBothClocks) {
  const Instant first = Instant::now();
  ::usleep(2000);
  const Instant second = Instant::now();
  EXPECT_GE(second - first, std::chrono::milliseconds(2));
  EXPECT_GT(first.wall, std::chrono::hours(24) * 365 * 50);
}

TEST(Clock, TimesAreWrittenAsPodmanDoes) {
  using std::chrono::nanoseconds;
  EXPECT_EQ(rfc3339(nanoseconds(0)), "0001-01-01T00:00:00Z");
  EXPECT_EQ(rfc3339(nanoseconds(1'769'860'800'123'456'789)), "2026-01-31T12:00:00.123456789Z");
  EXPECT_EQ(rfc3339(nanoseconds(1'769'860'800'000'000'000)), "2026-01-31T12:00:00.000000000Z");
}

TEST(Clock, TheBootHasAnIdentity) {
  EXPECT_THAT(boot_id(), MatchesRegex("[0-9a-f-]{36}"));
  EXPECT_EQ(boot_id(), boot_id());
}

TEST(ProcessStatus, IsReadByField) {
  EXPECT_EQ(process_status_field(::getpid(), "Pid"), std::to_string(::getpid()));
  EXPECT_EQ(process_status_field(::getpid(), "Pi"), std::nullopt);
  constexpr pid_t kNobody = 1 << 22;  // PID_MAX_LIMIT
  EXPECT_EQ(process_status_field(kNobody, "Pid"), std::nullopt);
}

TEST(ProcessStat, IsReadByTheNumbersOfTheManual) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_NAME, "a) Z 1 2");
    ::raise(SIGSTOP);
    ::_exit(0);
  }
  ::waitpid(child, nullptr, WUNTRACED);
  const auto stopped = process_stat(child);
  ::kill(child, SIGCONT);
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  const auto ended = process_stat(child);
  ::waitpid(child, nullptr, 0);

  ASSERT_TRUE(stopped && ended);
  EXPECT_EQ(stopped->state, 'T');
  EXPECT_EQ(stopped->parent, ::getpid());
  EXPECT_EQ(stopped->group, ::getpgrp());
  EXPECT_EQ(stopped->session, ::getsid(0));
  EXPECT_EQ(stopped->exit_signal, SIGCHLD);
  EXPECT_FALSE(stopped->has_ended() || stopped->is_ending());
  EXPECT_TRUE(ended->has_ended() && ended->is_ending());
  EXPECT_EQ(ended->start_time, stopped->start_time);
  EXPECT_FALSE(process_stat(child));
}

TEST(ProcessStat, AProcessWithoutItsMainThreadLives) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::thread([] { ::pause(); }).detach();
    ::syscall(SYS_exit, 0);  // of the thread alone
  }
  const Deadline deadline = deadline_in(std::chrono::seconds(10));
  while (process_stat(child)->state != 'Z' && std::chrono::steady_clock::now() < deadline) {
  }
  const auto headless = process_stat(child);
  const auto start_time = process_start_time(child);
  ::kill(child, SIGKILL);
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  const auto ended = process_stat(child);
  ::waitpid(child, nullptr, 0);

  EXPECT_TRUE(headless->main_thread_has_ended());
  EXPECT_FALSE(headless->has_ended());
  EXPECT_EQ(start_time, headless->start_time);
  EXPECT_FALSE(ended->main_thread_has_ended());
  EXPECT_TRUE(ended->has_ended());
}

TEST(MapsLine, IsReadAsTheKernelWritesIt) {
  const auto line = parse_maps_line(
      "7f01a000-7f01c000 r-xp 00002000 fe:01 1234                       /usr/lib/lib\\012 x.so");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->start, 0x7f01a000U);
  EXPECT_EQ(line->end, 0x7f01c000U);
  EXPECT_EQ(line->permissions, "r-xp");
  EXPECT_EQ(line->offset, 0x2000U);
  EXPECT_EQ(line->device, "fe:01");
  EXPECT_EQ(line->inode, 1234U);
  EXPECT_EQ(line->name, "/usr/lib/lib\n x.so");
  EXPECT_TRUE(parse_maps_line("7f01a000-7f01c000 rw-p 00000000 00:00 0 "));
  for (const char* other : {"", "Size:                  8 kB", "VmFlags: rd wr mr mw me ac wf",
                            "x-y rw-p 0 00:00 0", "1-2 rw-p 0 00:00"}) {
    EXPECT_FALSE(parse_maps_line(other)) << other;
  }
}

}  // namespace
}  // namespace still
