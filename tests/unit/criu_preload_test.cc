// The library that is preloaded into CRIU, in programs that do what CRIU does.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <format>
#include <optional>

#include "base/text.h"
#include "criu/gate.h"
#include "criu/preloading.h"
#include "os/files.h"
#include "os/process.h"
#include "support.h"

namespace still::criu {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> sorted_lines(const std::string& text) {
  auto lines = split(text, '\n');
  std::ranges::sort(lines);
  return lines;
}

// --- the content of a tmpfs ----------------------------------------------------------------------

class PreloadedTar : public ::testing::Test {
 protected:
  void SetUp() override { STILL_REQUIRE_ROOT(); }

  // CRIU's command; false if it failed. env calls execvp(3) as CRIU does. Where the library does
  // not do the work itself there is no tar for it.
  bool archive(bool by_library) const {
    const Fd from = open_file(tree_, O_RDONLY | O_DIRECTORY);
    const Fd to = open_file(result(by_library), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    Command command{
        .arguments = {"/usr/bin/env", "tar", "--create", "--gzip", "--no-unquote", "--no-wildcards",
                      "--one-file-system", "--check-links", "--preserve-permissions", "--sparse",
                      "--numeric-owner", "--directory", "/proc/self/fd/0", "."},
        .descriptors = {{from.get(), 0}, {to.get(), 1}}};
    if (by_library) {
      command.environment = {{"LD_PRELOAD", STILL_CRIU_PRELOAD}, {"PATH", "/nowhere"}};
    }
    return Child::start(command).wait().ok();
  }
  std::filesystem::path result(bool by_library) const {
    return scratch_ / (by_library ? "library.tar.gz" : "tar.tar.gz");
  }
  std::vector<std::string> list(bool by_library) const {
    return sorted_lines(
        run_checked({.arguments = {"tar", "--list", "--verbose", "--verbose", "--numeric-owner",
                                   "--full-time", "--gzip", "--file", result(by_library)}}));
  }

  test::Scratch scratch_;
  const std::filesystem::path tree_ = scratch_.make("tree");
};

TEST_F(PreloadedTar, IsWhatTarWrites) {
  ::chmod(tree_.c_str(), 01777);
  std::filesystem::create_directories(tree_ / "pts/deeper");
  ::chmod((tree_ / "pts").c_str(), 02750);
  ::chown((tree_ / "pts").c_str(), 1000, 65534);
  std::filesystem::create_symlink("/proc/self/fd/0", tree_ / "stdin");
  ASSERT_EQ(::mknod((tree_ / "null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  ASSERT_EQ(::mknod((tree_ / "disk").c_str(), S_IFBLK | 0640, makedev(259, 1048575)), 0);
  test::write_text(tree_ / "empty", "");
  test::write_text(tree_ / "a file", std::string(5000, 'x'));
  ::chmod((tree_ / "a file").c_str(), 04755);
  ASSERT_TRUE(archive(false));
  ASSERT_TRUE(archive(true));
  EXPECT_EQ(list(true), list(false));
  EXPECT_EQ(list(true).size(), 9U);  // and an empty line
  const auto unpacked = scratch_.make("unpacked");
  run_checked({.arguments = {"tar", "--extract", "--gzip", "--directory", unpacked, "--file",
                             result(true)}});
  EXPECT_EQ(read_file(unpacked / "a file"), std::string(5000, 'x'));
}

TEST_F(PreloadedTar, OfAnEmptyDirectoryIsWhatTarWrites) {
  ASSERT_TRUE(archive(false));
  ASSERT_TRUE(archive(true));
  EXPECT_EQ(list(true), list(false));
}

TEST_F(PreloadedTar, LeavesWhatIsNotSmallAndPlainToTar) {
  const auto is_left = [&] {
    const bool left = !archive(true);
    EXPECT_TRUE(archive(false));
    std::filesystem::remove_all(tree_);
    std::filesystem::create_directory(tree_);
    return left;
  };
  test::write_text(tree_ / "large", std::string(65537, 'x'));
  EXPECT_TRUE(is_left());
  for (int i = 0; i < 600; ++i) test::write_text(tree_ / std::to_string(i), "");
  EXPECT_TRUE(is_left());
  test::write_text(tree_ / "one", "");
  std::filesystem::create_hard_link(tree_ / "one", tree_ / "two");
  EXPECT_TRUE(is_left());
  test::write_text(tree_ / std::string(99, 'n'), "");
  EXPECT_TRUE(is_left());
  std::filesystem::create_symlink(std::string(100, 'l'), tree_ / "link");
  EXPECT_TRUE(is_left());
  ASSERT_EQ(::mkfifo((tree_ / "pipe").c_str(), 0600), 0);
  EXPECT_TRUE(is_left());
  ::chown(tree_.c_str(), 3000000, 0);
  EXPECT_TRUE(is_left());
  std::filesystem::create_directories(tree_ / "1/2/3/4/5/6/7/8");
  EXPECT_TRUE(is_left());
}

// --- terminals -----------------------------------------------------------------------------------

class PreloadedTerminal : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::openpty(&master_, &slave_, nullptr, nullptr, nullptr), 0); }
  void TearDown() override {
    ::close(master_);
    ::close(slave_);
  }

  void make_raw() const {
    termios modes{};
    ASSERT_EQ(::tcgetattr(slave_, &modes), 0);
    ::cfmakeraw(&modes);
    ASSERT_EQ(::tcsetattr(slave_, TCSANOW, &modes), 0);
  }
  static void say(int end, const std::string& text) {
    ASSERT_EQ(::write(end, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  // What a program reads that reads like CRIU; nullopt: it may not.
  static std::optional<std::string> read_like_criu(int end) {
    const CommandResult result = run_command({.arguments = {"dd", "bs=16384", "count=1"},
                                              .environment = {{"LD_PRELOAD", STILL_CRIU_PRELOAD}},
                                              .descriptors = {{end, 0}}});
    return result.status.ok() ? std::optional(result.output) : std::nullopt;
  }
  static int left_to_read(int end) {
    int bytes = 0;
    ::ioctl(end, FIONREAD, &bytes);
    return bytes;
  }

  int master_ = -1;
  int slave_ = -1;
};

TEST_F(PreloadedTerminal, WhatWouldComeBackAsItWasIsRead) {
  make_raw();
  say(slave_, "out\n");
  say(master_, "in\n\3");
  EXPECT_EQ(read_like_criu(master_), "out\n");
  EXPECT_EQ(read_like_criu(slave_), "in\n\3");
}

TEST_F(PreloadedTerminal, WhatWouldBeChangedIsNotRead) {
  say(slave_, "out\n");
  say(master_, "in\n");
  EXPECT_EQ(read_like_criu(master_), std::nullopt);
  EXPECT_EQ(read_like_criu(slave_), std::nullopt);
  EXPECT_EQ(left_to_read(master_), 9);  // "out", the echo of "in", and line ends of two bytes
  EXPECT_EQ(left_to_read(slave_), 3);
}

TEST_F(PreloadedTerminal, PacketsAreNotRead) {
  make_raw();
  const int on = 1;
  ASSERT_EQ(::ioctl(master_, TIOCPKT, &on), 0);
  say(slave_, "out");
  EXPECT_EQ(read_like_criu(master_), std::nullopt);
}

TEST_F(PreloadedTerminal, MoreThanTheKernelShowsIsNotRead) {
  make_raw();
  ASSERT_EQ(::fcntl(slave_, F_SETFL, O_NONBLOCK), 0);
  const std::string much(8000, 'x');
  ASSERT_GT(::write(slave_, much.data(), much.size()), 4095);
  EXPECT_EQ(read_like_criu(master_), std::nullopt);
}

TEST_F(PreloadedTerminal, AnEmptyOneIsNotRead) {
  EXPECT_EQ(read_like_criu(master_), std::nullopt);  // EAGAIN
}

// --- the gate ------------------------------------------------------------------------------------

class Gate : public ::testing::Test {
 protected:
  Gate() {
    test::write_text(freezer_, "0\n");
    // A shell opens files by the same function as CRIU.
    std::filesystem::copy("/usr/bin/dash", scratch_ / "criu");
    std::filesystem::copy("/usr/bin/dash", scratch_ / "crun");
  }

  Child start(const std::string& program, const Fd& output) const {
    return Child::start(
        {.arguments = {scratch_ / program, "-c", "read state < $0 && echo $state", freezer_},
         .environment = {{"LD_PRELOAD", STILL_CRIU_PRELOAD}, {kGateVariable, socket_}},
         .descriptors = {{output.get(), 1}}});
  }

  test::Scratch scratch_;
  const std::filesystem::path freezer_ = scratch_ / "cgroup.freeze";
  const std::filesystem::path socket_ = scratch_.make(std::string(120, 'd')) / "gate";
  Pipe pipe_ = make_pipe();
};

TEST_F(Gate, CriuWaitsThereUntilItIsOpened) {
  CriuGate gate(socket_);
  Child criu = start("criu", pipe_.write_end);
  ASSERT_TRUE(gate.wait(criu.pidfd(), deadline_in(10s)));
  EXPECT_FALSE(criu.wait_until(deadline_in(50ms)));
  gate.open(Deadline::max());
  EXPECT_TRUE(criu.wait().ok());
  pipe_.write_end.close();
  EXPECT_EQ(read_all(pipe_.read_end), "0\n");
}

TEST_F(Gate, CriuGivesUpWhenItWillNotBeOpened) {
  std::optional<CriuGate> gate(socket_);
  Child criu = start("criu", pipe_.write_end);
  ASSERT_TRUE(gate->wait(criu.pidfd(), deadline_in(10s)));
  gate.reset();
  EXPECT_FALSE(criu.wait().ok());
  EXPECT_FALSE(start("criu", pipe_.write_end).wait().ok());  // nobody is there
}

TEST_F(Gate, OthersPass) {
  CriuGate gate(socket_);
  Child runtime = start("crun", pipe_.write_end);
  EXPECT_TRUE(runtime.wait().ok());
  EXPECT_FALSE(gate.wait(runtime.pidfd(), deadline_in(10s)));
}

// --- connection tracking -------------------------------------------------------------------------

TEST(PreloadedNetlink, TracksNoConnections) {
  STILL_REQUIRE_ROOT();
  // The types of the answers to both questions of CRIU.
  constexpr const char* kAsk = R"(
import socket, struct
for kind in 0x101, 0x201:
    nl = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    nl.sendmsg([struct.pack("=LHHLLBBH", 20, kind, 0x301, 24680, 0, 2, 0, 0)], [], 0, (0, 0))
    size, kind, flags, sequence, pid, error = struct.unpack_from("=LHHLLi", nl.recv(65536))
    print(kind, sequence, error)
)";
  constexpr const char* kDone = "3 24680 0\n3 24680 0\n";
  constexpr const char* kAcknowledged = "2 24680 0\n2 24680 0\n";
  Command command{.arguments = {"python3", "-c", kAsk},
                  .environment = {{"LD_PRELOAD", STILL_CRIU_PRELOAD}}};
  const std::string kernel = run_checked(command);
  STILL_REQUIRE(kernel == kDone, "the kernel's connection tracking");
  command.environment[kNoConntrackVariable] = "1";
  EXPECT_EQ(run_checked(command), kAcknowledged);
}

}  // namespace
}  // namespace still::criu
