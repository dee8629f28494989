#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include "base/text.h"
#include "os/files.h"
#include "os/process.h"
#include "support.h"

namespace still {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::kind_thrown_by;
using test::message_thrown_by;
using testing::ElementsAre;
using testing::HasSubstr;

Command shell(const std::string& script) { return {.arguments = {"sh", "-c", script}}; }

std::string output_of(Command command) { return run_checked(std::move(command)); }

// A file that says which one it is.
Fd marked_file(const test::Scratch& scratch, const std::string& mark) {
  test::write_text(scratch / mark, mark);
  return open_file(scratch / mark, O_RDONLY);
}

TEST(Process, OutputAndErrorsAreCaptured) {
  const auto result = run_command(shell("echo out; echo err >&2; exit 3"));
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "err\n");
  EXPECT_EQ(result.status.code, 3);
  EXPECT_FALSE(result.status.ok());
}

TEST(Process, NeitherOutputCanBlockTheChild) {
  const auto result = run_command(shell(
      "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2"));
  EXPECT_EQ(result.output.size(), 300'000U);
  EXPECT_EQ(result.errors.size(), 600'000U);
}

TEST(Process, AFailedCommandCanBeAnError) {
  EXPECT_EQ(run_checked(shell("echo fine")), "fine\n");
  EXPECT_EQ(message_thrown_by([] { run_checked(shell("echo a >&2; echo b >&2; exit 2")); }),
            "sh failed (exit code 2): b");
  EXPECT_EQ(kind_thrown_by([] { run_checked(shell("exit 1")); }), ErrorKind::kRuntime);
}

TEST(Process, ASignalIsTold) {
  const auto status = run_command(shell("kill -KILL $$")).status;
  EXPECT_EQ(status.code, 128 + SIGKILL);
  EXPECT_EQ(status.signal, SIGKILL);
  EXPECT_THAT(status.describe(), HasSubstr("signal 9"));
}

TEST(Process, AMissingProgramIsAnErrorThatNamesIt) {
  const auto start = [] { Child::start({.arguments = {"no-such-program-here"}}); };
  EXPECT_EQ(kind_thrown_by(start), ErrorKind::kSystem);
  EXPECT_THAT(message_thrown_by(start), HasSubstr("no-such-program-here"));
}

TEST(Process, StandardInputIsEmptyUnlessGiven) {
  EXPECT_EQ(output_of(shell("readlink /proc/self/fd/0; cat")), "/dev/null\n");
  const test::Scratch scratch;
  const Fd input = marked_file(scratch, "input");
  Command command = shell("cat");
  command.descriptors[input.get()] = STDIN_FILENO;
  EXPECT_EQ(output_of(command), "input");
}

TEST(Process, DescriptorsArriveUnderTheirNumbers) {
  const test::Scratch scratch;
  const Fd first = marked_file(scratch, "first");
  const Fd second = marked_file(scratch, "second");
  Command command = shell("cat <&7; cat <&3");
  command.descriptors = {{first.get(), 7}, {second.get(), 3}};
  EXPECT_EQ(output_of(command), "firstsecond");
}

TEST(Process, DescriptorsCanTradeNumbers) {
  const test::Scratch scratch;
  const Fd first = marked_file(scratch, "first");
  const Fd second = marked_file(scratch, "second");
  Command command =
      shell("cat <&" + std::to_string(second.get()) + "; cat <&" + std::to_string(first.get()));
  command.descriptors = {{first.get(), second.get()}, {second.get(), first.get()}};
  EXPECT_EQ(output_of(command), "firstsecond");
}

TEST(Process, ADescriptorCanKeepItsNumber) {
  const test::Scratch scratch;
  const Fd file = marked_file(scratch, "same");
  Command command = shell("cat <&" + std::to_string(file.get()));
  command.descriptors = {{file.get(), file.get()}};
  EXPECT_EQ(output_of(command), "same");
}

TEST(Process, NothingElseIsOpenInTheChild) {
  // As our caller may leave them: without close-on-exec, between and above the passed ones.
  const int low = ::fcntl(STDERR_FILENO, F_DUPFD, 3);
  const int high = ::fcntl(STDERR_FILENO, F_DUPFD, 200);
  const Fd file = open_file("/dev/null", O_RDONLY);
  Command command{.arguments = {"ls", "/proc/self/fd"}};
  command.descriptors = {{file.get(), 50}};
  const auto names = split(trim(output_of(command)), '\n');
  // The last one is the directory that ls lists.
  EXPECT_THAT(names, ElementsAre("0", "1", "2", "3", "50"));
  ::close(low);
  ::close(high);
}

TEST(Process, TheEnvironmentIsOursAndMore) {
  ::setenv("STILL_TEST_KEPT", "kept", 1);
  ::setenv("STILL_TEST_REPLACED", "old", 1);
  Command command = shell("echo $STILL_TEST_KEPT $STILL_TEST_REPLACED $STILL_TEST_NEW");
  command.environment = {{"STILL_TEST_REPLACED", "replaced"}, {"STILL_TEST_NEW", "new"}};
  EXPECT_EQ(output_of(command), "kept replaced new\n");
}

TEST(Process, TheDirectoryCanBeChosen) {
  Command command = shell("pwd");
  command.directory = "/usr";
  EXPECT_EQ(output_of(command), "/usr\n");
}

TEST(Process, ItsOwnGroupIsOutOfReachOfOurs) {
  const std::string script = "cut -d' ' -f5 /proc/$$/stat";
  EXPECT_EQ(output_of(shell(script)), std::to_string(::getpgrp()) + "\n");
  Command command = shell("echo $$; " + script);
  command.own_process_group = true;
  const auto lines = split(trim(output_of(command)), '\n');
  EXPECT_EQ(lines[0], lines[1]);
}

TEST(Process, SignalsStartUnblockedAndNotIgnored) {
  sigset_t blocked;
  sigset_t before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &blocked, &before);
  const auto handler = ::signal(SIGUSR1, SIG_IGN);
  EXPECT_EQ(run_command(shell("kill -TERM $$; true")).status.signal, SIGTERM);
  EXPECT_EQ(run_command(shell("kill -USR1 $$; true")).status.signal, SIGUSR1);
  ::signal(SIGUSR1, handler);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

TEST(Process, CanBeWaitedForWithADeadline) {
  Child child = Child::start({.arguments = {"sleep", "1000"}});
  EXPECT_FALSE(child.wait_until(deadline_in(milliseconds(20))));
  child.signal(SIGKILL);
  const auto status = child.wait_until(deadline_in(seconds(20)));
  ASSERT_TRUE(status);
  EXPECT_EQ(status->signal, SIGKILL);
  EXPECT_EQ(child.wait().signal, SIGKILL);
  child.signal(SIGKILL);  // has ended: no error
}

TEST(Process, LeavesNoZombie) {
  pid_t pid = 0;
  {
    const Child child = Child::start(shell("true"));
    pid = child.pid();
  }
  EXPECT_FALSE(path_exists("/proc/" + std::to_string(pid)));
}

TEST(Process, IsKnownByItsStartTime) {
  EXPECT_GT(process_start_time(::getpid()).value_or(0), 0U);
  EXPECT_EQ(process_start_time(::getpid()), process_start_time(::getpid()));
  Child child = Child::start(shell("exit 0"));
  ASSERT_TRUE(wait_for_exit(child.pidfd(), deadline_in(seconds(20))));
  EXPECT_FALSE(process_start_time(child.pid()));  // a zombie
  child.wait();
  EXPECT_FALSE(process_start_time(child.pid()));
  EXPECT_FALSE(open_pidfd(child.pid()));
}

TEST(Process, StartTimeIsFoundBehindAnyCommandName) {
  const test::Scratch scratch;
  const auto program = scratch / "a) R 1 (b";
  std::filesystem::copy_file("/bin/sleep", program);
  Child child = Child::start({.arguments = {program, "1000"}});
  EXPECT_GE(process_start_time(child.pid()).value_or(0), *process_start_time(::getpid()));
  child.signal(SIGKILL);
}

TEST(Process, SignalsGoThroughAPidfd) {
  Child child = Child::start({.arguments = {"sleep", "1000"}});
  const auto pidfd = open_pidfd(child.pid());
  ASSERT_TRUE(pidfd);
  EXPECT_TRUE(send_signal(*pidfd, SIGKILL));
  EXPECT_TRUE(wait_for_exit(*pidfd, deadline_in(seconds(20))));
  child.wait();
  EXPECT_FALSE(send_signal(*pidfd, SIGKILL));
}

TEST(Process, ProgramsAreFoundInPath) {
  EXPECT_TRUE(find_program("sh"));
  EXPECT_EQ(find_program("/bin/sh"), "/bin/sh");
  EXPECT_FALSE(find_program("no-such-program-here"));
  EXPECT_FALSE(find_program("/no/such/program"));
}

TEST(Process, DirectoriesAreNoPrograms) {
  const test::Scratch scratch;
  scratch.make("program");
  EXPECT_FALSE(find_program((scratch / "program").native()));
}

TEST(Process, LastLineIsTheLastThatIsNotEmpty) {
  EXPECT_EQ(last_line("a\n b \n\n \n"), "b");
  EXPECT_EQ(last_line("only"), "only");
  EXPECT_EQ(last_line("\n"), "");
}

}  // namespace
}  // namespace still
