#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <thread>
#include <utility>

#include "base/error.h"
#include "cut/window.h"
#include "os/files.h"
#include "os/temp_dir.h"

namespace still::cut {
namespace {

using namespace std::chrono_literals;

// A freezer that obeys at once; what was asked of it can be seen.
class FakeFreezer : public cgroup::Freezer {
 public:
  explicit FakeFreezer(bool paused)
      : Freezer(open_file("/", O_RDONLY | O_DIRECTORY), "fake"), frozen(paused) {}

  cgroup::Version version() const override { return cgroup::Version::kV2; }
  cgroup::FreezerState state() const override { return {.requested = frozen, .frozen = frozen}; }
  void request(bool freeze) override {
    requests.push_back(freeze);
    frozen = freeze;
  }

  std::vector<std::string> beyond_ptrace() const override {
    if (!frozen || caught == 0) return {};
    --caught;
    return {"12 (spawner, state D)"};
  }

  bool frozen;
  std::vector<bool> requests;
  mutable size_t caught = 0;  // how many freezes more catch a task that waits for its child

 protected:
  void wait_for_change(Deadline) override {}
  bool has_frozen_ancestor() const override { return false; }
  std::string thread_list() const override { return "cgroup.threads"; }
};

Command shell(const std::string& script) { return {.arguments = {"sh", "-c", script}}; }

// Trees that are cut by a function.
class FakeTrees : public TreeCut {
 public:
  explicit FakeTrees(std::function<void()> work) : cut_(std::move(work)) {}
  void cut(const Instant& /*frozen*/) override { cut_(); }
  void watch(const std::stop_token& stop) override {
    if (watch_) watch_(stop);
  }
  void end() override {}

  std::function<void(const std::stop_token&)> watch_;

 private:
  const std::function<void()> cut_;
};

// As CRIU's: nothing is to be done but by the dump.
class FakeMemory : public MemoryWay {};

// Its init is a process that is no task of any container: never traced.
Member member(cgroup::Freezer* freezer, const std::string& script) {
  return {.freezer = freezer,
          .dump = Dump{.runtime = "sh", .command = shell(script), .init = ::getpid()}};
}

class WindowTest : public testing::Test {
 protected:
  Cut run(std::vector<Member> members, TreeCut& trees) {
    Cancellation cancellation(max_pause_);
    return run(std::move(members), trees, cancellation);
  }
  Cut run(std::vector<Member> members, TreeCut& trees, Cancellation& cancellation) {
    FakeMemory memory;
    return Window(std::move(members), {.freeze = 1000ms, .runtime = 1000ms})
        .run({{.memory = memory, .trees = trees}}, cancellation, observer_);
  }
  Cut run(std::vector<Member> members, std::function<void()> capture) {
    FakeTrees trees(std::move(capture));
    return run(std::move(members), trees);
  }
  Cut run(const std::string& script, std::function<void()> capture = [] {}) {
    return run({member(&freezer_, script)}, std::move(capture));
  }

  FakeFreezer freezer_{false};
  Observer observer_;
  std::optional<std::chrono::nanoseconds> max_pause_;
};

TEST_F(WindowTest, FreezesBeforeTheDumpAndThawsAfterTheCapture) {
  bool frozen_during_capture = false;
  const Cut cut = run("true", [&] { frozen_during_capture = freezer_.frozen; });
  EXPECT_TRUE(frozen_during_capture);
  EXPECT_TRUE(cut.was_frozen);
  EXPECT_FALSE(freezer_.frozen);
  EXPECT_LE(cut.frozen.monotonic, cut.dump_start.monotonic);
  EXPECT_LE(cut.dump_end.monotonic, cut.cut_end.monotonic);
  EXPECT_LE(cut.cut_end.monotonic, cut.thawed.monotonic);
}

TEST_F(WindowTest, WaitsForASlowCapture) {
  const Cut cut = run("true", [&] {
    std::this_thread::sleep_for(100ms);
    EXPECT_TRUE(freezer_.frozen);
  });
  EXPECT_GE(cut.pause(), 100ms);
}

TEST_F(WindowTest, WatchesTheTreesUntilTheDumpIsDone) {
  FakeTrees watching([] {});
  bool frozen_at_the_end = false;
  watching.watch_ = [&](const std::stop_token& stop) {
    while (!stop.stop_requested()) std::this_thread::sleep_for(1ms);
    frozen_at_the_end = freezer_.frozen;
  };
  const Cut cut = run({member(&freezer_, "sleep 0.2")}, watching);
  EXPECT_TRUE(frozen_at_the_end);
  EXPECT_LT(cut.capture, 100ms);
  EXPECT_GE(cut.pause(), 200ms);
}

TEST_F(WindowTest, FreezesAgainWhenATaskWaitsForItsChild) {
  freezer_.caught = 3;
  const Cut cut = run("true", [&] { EXPECT_TRUE(freezer_.frozen); });
  const std::vector<bool> tried = {true, false, false, true, false, false,
                                   true, false, false, true, false, false};
  EXPECT_EQ(freezer_.requests, tried);
  EXPECT_GT(cut.earlier, 0ns);
  EXPECT_GE(cut.pause(), cut.earlier + (cut.thawed - cut.frozen));
  EXPECT_FALSE(freezer_.frozen);
}

TEST_F(WindowTest, GivesUpWhenATaskAlwaysWaitsForItsChild) {
  freezer_.caught = SIZE_MAX;
  const auto start = std::chrono::steady_clock::now();
  try {
    run("true");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kConflict);
    EXPECT_NE(error.message().find("spawner"), std::string::npos) << error.message();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
  EXPECT_FALSE(freezer_.frozen);
}

TEST_F(WindowTest, CountsTriesThatFailedAgainstThePauseThatIsAllowed) {
  max_pause_ = 300ms;
  Cancellation cancellation(max_pause_);
  FakeTrees failing([] {
    std::this_thread::sleep_for(200ms);
    throw Error(ErrorKind::kSystem, "disk full");
  });
  EXPECT_THROW(run({member(&freezer_, "true")}, failing, cancellation), Error);
  EXPECT_GE(cancellation.paused(), 200ms);
  FakeTrees trees([] { std::this_thread::sleep_for(200ms); });
  try {
    run({member(&freezer_, "true")}, trees, cancellation);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kTimeout);
  }
  EXPECT_FALSE(freezer_.frozen);
}

TEST_F(WindowTest, ReportsWhatTheContainerSawOfEarlierTries) {
  Cancellation cancellation;
  FakeTrees failing([] {
    std::this_thread::sleep_for(100ms);
    throw Error(ErrorKind::kAnotherWay, "no forks");
  });
  EXPECT_THROW(run({member(&freezer_, "true")}, failing, cancellation), Error);
  FakeTrees trees([] {});
  const Cut cut = run({member(&freezer_, "true")}, trees, cancellation);
  EXPECT_GE(cut.earlier, 100ms);
  EXPECT_GE(cut.pause(), cut.earlier);
}

// Needs as long for its forks as it may, and says then that it has failed.
class SlowMemory : public MemoryWay {
 public:
  void after_thaw(Deadline deadline) override {
    std::this_thread::sleep_until(std::min(deadline, deadline_in(10s)));
    throw Error(ErrorKind::kAnotherWay, "a thread does not stop");
  }
};

TEST_F(WindowTest, LimitsWhatHappensBehindTheThawToo) {
  Cancellation cancellation(200ms);
  SlowMemory memory;
  FakeTrees trees([] {});
  const auto start = std::chrono::steady_clock::now();
  try {
    Window({member(&freezer_, "true")}, {.freeze = 1000ms, .runtime = 1000ms})
        .run({{.memory = memory, .trees = trees}}, cancellation, observer_);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kTimeout);
    EXPECT_NE(error.message().find("--max-pause"), std::string::npos) << error.message();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

TEST_F(WindowTest, LeavesAPausedContainerPaused) {
  freezer_.frozen = true;
  const Cut cut = run("true");
  EXPECT_TRUE(cut.was_frozen);
  EXPECT_TRUE(freezer_.frozen);
  EXPECT_TRUE(freezer_.requests.empty());
}

TEST_F(WindowTest, ThawsWhenTheRuntimeFails) {
  try {
    run("echo first >&2; echo it broke >&2; exit 3");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kRuntime);
    EXPECT_NE(error.message().find("it broke"), std::string::npos) << error.message();
  }
  EXPECT_FALSE(freezer_.frozen);
}

TEST_F(WindowTest, ThawsWhenTheCaptureFailsButNotBeforeTheRuntimeHasEnded) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THROW(run("sleep 0.3", [] { throw Error(ErrorKind::kSystem, "disk full"); }), Error);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 300ms);
  EXPECT_FALSE(freezer_.frozen);
}

TEST_F(WindowTest, FailsWhenSomebodyThawedTheContainer) {
  try {
    run("true", [&] { freezer_.frozen = false; });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("thawed"), std::string::npos) << error.message();
  }
}

TEST_F(WindowTest, EndsARuntimeThatHangsAndHoldsNoTask) {
  const auto start = std::chrono::steady_clock::now();
  try {
    run("sleep 60");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kTimeout);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10000ms);
  EXPECT_FALSE(freezer_.frozen);
}

TEST_F(WindowTest, FreezesAndThawsSharersToo) {
  FakeFreezer busy{false};
  FakeFreezer paused{true};
  run({member(&freezer_, "true"), {.freezer = &busy}, {.freezer = &paused}},
      [&] { EXPECT_TRUE(busy.frozen && paused.frozen); });
  EXPECT_FALSE(busy.frozen);
  EXPECT_TRUE(paused.frozen) << "it was paused before";
}

TEST_F(WindowTest, ThawsSharersWhenTheCaptureFails) {
  FakeFreezer sharer{false};
  EXPECT_THROW(run({member(&freezer_, "true"), {.freezer = &sharer}},
                   [] { throw Error(ErrorKind::kSystem, "disk full"); }),
               Error);
  EXPECT_FALSE(sharer.frozen);
  EXPECT_FALSE(freezer_.frozen);
}

TEST_F(WindowTest, FailsWhenASharerIsThawed) {
  FakeFreezer sharer{false};
  EXPECT_THROW(
      run({member(&freezer_, "true"), {.freezer = &sharer}}, [&] { sharer.frozen = false; }),
      Error);
}

TEST_F(WindowTest, DumpsAllMembersOfAGroupInOneFreeze) {
  FakeFreezer other{false};
  FakeMemory memory;
  FakeTrees first([&] { EXPECT_TRUE(freezer_.frozen && other.frozen); });
  FakeTrees second([&] { EXPECT_TRUE(freezer_.frozen && other.frozen); });
  Cancellation cancellation;
  Window window({member(&freezer_, "sleep 0.1"), member(&other, "sleep 0.3")},
                {.freeze = 1000ms, .runtime = 1000ms});
  EXPECT_EQ(window.runtimes().size(), 2U);
  const Cut cut = window.run({{memory, first}, {memory, second}}, cancellation, observer_);
  EXPECT_TRUE(cut.was_frozen);
  EXPECT_GE(cut.pause(), 300ms);
  EXPECT_FALSE(freezer_.frozen || other.frozen);
}

TEST_F(WindowTest, ThawsAGroupWhenTheDumpOfOneFails) {
  FakeFreezer other{false};
  FakeMemory memory;
  FakeTrees trees([] {});
  Cancellation cancellation;
  Window window({member(&freezer_, "sleep 0.1"), member(&other, "exit 3")},
                {.freeze = 1000ms, .runtime = 1000ms});
  EXPECT_THROW(window.run({{memory, trees}, {memory, trees}}, cancellation, observer_), Error);
  EXPECT_FALSE(freezer_.frozen || other.frozen);
}

TEST_F(WindowTest, SaysThatNothingWasFrozenWithoutAFreezer) {
  EXPECT_FALSE(run({member(nullptr, "true")}, [] {}).was_frozen);
}

TEST_F(WindowTest, IsGivenUpForASignalAfterTheThaw) {
  const auto start = std::chrono::steady_clock::now();
  try {
    run("sleep 60", [] { ::kill(::getpid(), SIGTERM); });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInterrupted);
    EXPECT_EQ(error.signal(), SIGTERM);
  }
  // The runtime held no task: nothing had to be waited for.
  EXPECT_LT(std::chrono::steady_clock::now() - start, 900ms);
  EXPECT_FALSE(freezer_.frozen);
}

TEST_F(WindowTest, IsGivenUpWhenThePauseGetsTooLong) {
  max_pause_ = 100ms;
  try {
    run("sleep 60");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kTimeout);
    EXPECT_NE(error.message().find("--max-pause allows 100.0 ms"), std::string::npos)
        << error.message();
  }
  EXPECT_FALSE(freezer_.frozen);
}

TEST_F(WindowTest, StopsTheCaptureWhenThePauseGetsTooLong) {
  max_pause_ = 50ms;
  Cancellation cancellation(max_pause_);
  FakeTrees capture([stop = cancellation.token()] {
    const Deadline deadline = deadline_in(10s);
    while (!stop.stop_requested() && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(1ms);
    }
    throw Error(ErrorKind::kInterrupted, "stopped");
  });
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THROW(run({member(&freezer_, "sleep 0.3")}, capture, cancellation), Error);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
  EXPECT_FALSE(freezer_.frozen);
}

TEST_F(WindowTest, WaitsForWhatTheRuntimeLeavesRunning) {
  // As CRIU when the runtime was killed: it would freeze the container again at its end.
  const Cut cut = run("sleep 0.3 & exit 0");
  EXPECT_GE(cut.pause(), 300ms);
}

// A freezer whose state is a file, so that another process can change it.
class FileFreezer : public FakeFreezer {
 public:
  explicit FileFreezer(std::filesystem::path file) : FakeFreezer(false), file_(std::move(file)) {}
  cgroup::FreezerState state() const override {
    const bool is_frozen = path_exists(file_);
    return {.requested = is_frozen, .frozen = is_frozen};
  }
  void request(bool freeze) override {
    if (freeze) write_file_atomically(file_, "", 0600);
    if (!freeze) ::unlink(file_.c_str());
  }

 private:
  const std::filesystem::path file_;
};

class GuardedWindow : public WindowTest {
 protected:
  // Kills the process in its window, and waits until nobody holds what its guardian holds.
  // script: of the runtime. Returns how long that took after the kill.
  std::chrono::nanoseconds kill_in_window(const std::string& script) {
    Pipe life = make_pipe();
    Pipe inside = make_pipe();
    const pid_t child = ::fork();
    if (child == 0) {
      FileFreezer freezer(file_);
      run({member(&freezer, script)}, [&] {
        write_all(inside.write_end, "i");
        ::pause();
      });
      ::_exit(0);
    }
    life.write_end.close();
    char byte = 0;
    EXPECT_EQ(::read(inside.read_end.get(), &byte, 1), 1);
    EXPECT_TRUE(path_exists(file_));
    const auto start = std::chrono::steady_clock::now();
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    EXPECT_EQ(::read(life.read_end.get(), &byte, 1), 0);
    return std::chrono::steady_clock::now() - start;
  }

  const TempDir directory_{"/tmp", "guardian-"};
  const std::filesystem::path file_ = directory_.path() / "frozen";
};

TEST_F(GuardedWindow, IsThawedByTheGuardianWhenItsProcessIsKilled) {
  kill_in_window("true");
  EXPECT_FALSE(path_exists(file_));
}

TEST_F(GuardedWindow, IsNotThawedBeforeTheRuntimeHasEnded) {
  EXPECT_GE(kill_in_window("sleep 0.5"), 400ms);
  EXPECT_FALSE(path_exists(file_));
}

TEST_F(GuardedWindow, IsThawedWhenTheRuntimeHangsToo) {
  EXPECT_LT(kill_in_window("sleep 60"), 10s);
  EXPECT_FALSE(path_exists(file_));
}

}  // namespace
}  // namespace still::cut
