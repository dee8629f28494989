#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>
#include <utility>

#include "base/error.h"
#include "checkpoint/freeze_window.h"
#include "checkpoint/runtime_watch.h"
#include "os/files.h"

namespace still::checkpoint {
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
    if (!freeze && thawed_to >= 0) {
      EXPECT_EQ(::write(thawed_to, "t", 1), 1);
    }
  }

  bool frozen;
  std::vector<bool> requests;
  int thawed_to = -1;  // a descriptor that gets a byte with each thaw

 protected:
  void wait_for_change(Deadline) override {}
  bool has_frozen_ancestor() const override { return false; }
  std::string thread_list() const override { return "cgroup.threads"; }
};

Command shell(const std::string& script) { return {.arguments = {"sh", "-c", script}}; }

WindowSettings settings(cgroup::Freezer* freezer, const std::string& script,
                        std::function<void()> capture) {
  return {.freezer = freezer,
          .sharers = {},
          .dump = shell(script),
          .init = ::getpid(),
          .capture_trees = [capture = std::move(capture)](const Instant&) { capture(); },
          .freeze_timeout = 1000ms,
          .runtime_timeout = 1000ms};
}

class FreezeWindow : public testing::Test {
 protected:
  Cut run(const std::string& script, const std::function<void()>& capture = [] {}) {
    return run_freeze_window(settings(&freezer_, script, capture), observer_);
  }

  FakeFreezer freezer_{false};
  Observer observer_;
};

TEST_F(FreezeWindow, FreezesBeforeTheDumpAndThawsAfterTheCapture) {
  bool frozen_during_capture = false;
  const Cut cut = run("true", [&] { frozen_during_capture = freezer_.frozen; });
  EXPECT_TRUE(frozen_during_capture);
  EXPECT_TRUE(cut.was_frozen);
  EXPECT_FALSE(freezer_.frozen);
  EXPECT_LE(cut.frozen.monotonic, cut.dump_start.monotonic);
  EXPECT_LE(cut.dump_end.monotonic, cut.cut_end.monotonic);
  EXPECT_LE(cut.cut_end.monotonic, cut.thawed.monotonic);
}

TEST_F(FreezeWindow, WaitsForASlowCapture) {
  const Cut cut = run("true", [&] {
    std::this_thread::sleep_for(100ms);
    EXPECT_TRUE(freezer_.frozen);
  });
  EXPECT_GE(cut.pause(), 100ms);
}

TEST_F(FreezeWindow, WatchesTheTreesUntilTheDumpIsDone) {
  auto all = settings(&freezer_, "sleep 0.2", [] {});
  bool frozen_at_the_end = false;
  all.watch_trees = [&](const std::stop_token& stop) {
    while (!stop.stop_requested()) std::this_thread::sleep_for(1ms);
    frozen_at_the_end = freezer_.frozen;
  };
  const Cut cut = run_freeze_window(all, observer_);
  EXPECT_TRUE(frozen_at_the_end);
  EXPECT_LT(cut.capture, 100ms);
  EXPECT_GE(cut.pause(), 200ms);
}

TEST_F(FreezeWindow, LetsSignalsWaitForTheThaw) {
  Pipe pipe = make_pipe();
  freezer_.thawed_to = pipe.write_end.get();
  const pid_t child = ::fork();
  if (child == 0) {
    run("true", [] { ::kill(::getpid(), SIGTERM); });
    ::_exit(0);  // not reached: the signal comes with the end of the window
  }
  pipe.write_end.close();
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
  char byte = 0;
  EXPECT_EQ(::read(pipe.read_end.get(), &byte, 1), 1) << "it ended before the thaw";
}

TEST_F(FreezeWindow, LeavesAPausedContainerPaused) {
  freezer_.frozen = true;
  const Cut cut = run("true");
  EXPECT_TRUE(cut.was_frozen);
  EXPECT_TRUE(freezer_.frozen);
  EXPECT_TRUE(freezer_.requests.empty());
}

TEST_F(FreezeWindow, ThawsWhenTheRuntimeFails) {
  try {
    run("echo first >&2; echo it broke >&2; exit 3");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kRuntime);
    EXPECT_NE(error.message().find("it broke"), std::string::npos) << error.message();
  }
  EXPECT_FALSE(freezer_.frozen);
}

TEST_F(FreezeWindow, ThawsWhenTheCaptureFailsButNotBeforeTheRuntimeHasEnded) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THROW(run("sleep 0.3", [] { throw Error(ErrorKind::kSystem, "disk full"); }), Error);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 300ms);
  EXPECT_FALSE(freezer_.frozen);
}

TEST_F(FreezeWindow, FailsWhenSomebodyThawedTheContainer) {
  try {
    run("true", [&] { freezer_.frozen = false; });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("thawed"), std::string::npos) << error.message();
  }
}

TEST_F(FreezeWindow, EndsARuntimeThatHangsAndHoldsNoTask) {
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

TEST_F(FreezeWindow, FreezesAndThawsSharersToo) {
  FakeFreezer busy{false};
  FakeFreezer paused{true};
  auto all = settings(&freezer_, "true", [&] { EXPECT_TRUE(busy.frozen && paused.frozen); });
  all.sharers = {&busy, &paused};
  run_freeze_window(all, observer_);
  EXPECT_FALSE(busy.frozen);
  EXPECT_TRUE(paused.frozen) << "it was paused before";
}

TEST_F(FreezeWindow, ThawsSharersWhenTheCaptureFails) {
  FakeFreezer sharer{false};
  auto all = settings(&freezer_, "true", [] { throw Error(ErrorKind::kSystem, "disk full"); });
  all.sharers = {&sharer};
  EXPECT_THROW(run_freeze_window(all, observer_), Error);
  EXPECT_FALSE(sharer.frozen);
  EXPECT_FALSE(freezer_.frozen);
}

TEST_F(FreezeWindow, FailsWhenASharerIsThawed) {
  FakeFreezer sharer{false};
  auto all = settings(&freezer_, "true", [&] { sharer.frozen = false; });
  all.sharers = {&sharer};
  EXPECT_THROW(run_freeze_window(all, observer_), Error);
}

TEST(FreezeWindowWithoutFreezer, SaysThatNothingWasFrozen) {
  Observer observer;
  const Cut cut = run_freeze_window(settings(nullptr, "true", [] {}), observer);
  EXPECT_FALSE(cut.was_frozen);
}

}  // namespace
}  // namespace still::checkpoint
