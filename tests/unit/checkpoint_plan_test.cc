#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "checkpoint/plan.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/process.h"
#include "support.h"

namespace still::checkpoint {
namespace {

using test::kind_thrown_by;
using test::message_thrown_by;
using testing::ElementsAre;
using testing::HasSubstr;

// A process that waits, the first of a process namespace of its own, as a container's init is.
class Init {
 public:
  Init() {
    const long flags = CLONE_NEWPID | (::geteuid() == 0 ? 0 : CLONE_NEWUSER) | SIGCHLD;
    pid_ = static_cast<pid_t>(::syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr));
    while (pid_ == 0) ::pause();
  }
  Init(const Init&) = delete;
  Init& operator=(const Init&) = delete;
  ~Init() { end(); }

  pid_t pid() const { return pid_; }
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, -1), nullptr, 0);
  }

 private:
  pid_t pid_ = -1;
};

// The programs that are asked for their versions, as scripts, and no others.
class Programs {
 public:
  explicit Programs(const std::filesystem::path& directory)
      : directory_(directory), path_before_(std::getenv("PATH")) {
    make_directory(directory_);
    add("crun", "crun version 1.21");
    add("criu", "Version: 4.1.1");
    ::setenv("PATH", directory_.c_str(), 1);
  }
  Programs(const Programs&) = delete;
  Programs& operator=(const Programs&) = delete;
  ~Programs() { ::setenv("PATH", path_before_.c_str(), 1); }

  void remove(const char* name) { std::filesystem::remove(directory_ / name); }

 private:
  void add(const char* name, const std::string& version) {
    test::write_text(directory_ / name, "#!/bin/sh\necho '" + version + "'\n");
    ::chmod((directory_ / name).c_str(), 0755);
  }

  const std::filesystem::path directory_;
  const std::string path_before_;
};

// A container without a cgroup, which needs no runtime to be asked about.
class PlanTest : public testing::Test {
 protected:
  void SetUp() override {
    STILL_REQUIRE(init_.pid() > 0, "process namespaces");
    layout_.create();
    store_.emplace(layout_.root);
    config_.rootfs = scratch_.make("base");
    config_.arguments = {"program"};
    config_.cgroups = false;
    config_.volumes = {{.volume = "data", .destination = "/data"},
                       {.volume = "data", .destination = "/again"},
                       {.volume = "other", .destination = "/other"}};
  }

  // Made once, running.
  const engine::Container& container() {
    if (container_) return *container_;
    store::ContainerRecord record = [&] {
      const auto made = engine::Container::create(layout_, *store_, config_, "web");
      make_directory(made.paths().upper());
      return made.record();
    }();
    record.status = store::ContainerStatus::kRunning;
    record.pid = init_.pid();
    record.pid_start_time = process_start_time(init_.pid()).value();
    record.boot_id = boot_id();
    store_->update_container(record);
    return container_.emplace(engine::Container::open(layout_, *store_, "web"));
  }

  Plan plan(const CheckpointOptions& options) {
    return make_plan(container(), {}, layout_, options);
  }
  ErrorKind refusal(const CheckpointOptions& options) {
    return kind_thrown_by([&] { plan(options); });
  }
  ErrorKind refusal_of_target(const std::filesystem::path& target) {
    return refusal({.leave_running = true, .export_file = target});
  }

  static std::vector<std::string> members(const Plan& plan) {
    std::vector<std::string> names;
    for (const TreePlan& tree : plan.trees) names.push_back(tree.member);
    return names;
  }

  const test::Scratch scratch_;
  Init init_;
  Programs programs_{scratch_ / "bin"};
  engine::Layout layout_{.root = scratch_.make("root"), .runroot = scratch_.make("run")};
  std::optional<store::Store> store_;
  engine::ContainerConfig config_;
  std::optional<engine::Container> container_;
};

TEST_F(PlanTest, OfALiveCheckpoint) {
  const auto target = scratch_ / "web.tar";
  const Plan made = plan({.leave_running = true, .export_file = target});
  EXPECT_EQ(made.container_name, "web");
  EXPECT_EQ(made.container_id, container().id());
  EXPECT_TRUE(made.writes_archive);
  EXPECT_EQ(made.target, target);
  EXPECT_EQ(made.freezing, Freezing::kNone);
  EXPECT_EQ(made.cgroup_version, "none");
  EXPECT_GT(made.memory_bytes, 0);
  EXPECT_FALSE(path_exists(target));
}

TEST_F(PlanTest, WithoutExportALiveCheckpointIsAnArchiveInTheStore) {
  const Plan made = plan({.leave_running = true});
  EXPECT_TRUE(made.writes_archive);
  EXPECT_EQ(made.target, container().paths().live_checkpoint());
}

TEST_F(PlanTest, TheDefaultCheckpointNeitherFreezesNorWritesAnArchive) {
  const Plan made = plan({});
  EXPECT_FALSE(made.writes_archive);
  EXPECT_EQ(made.freezing, Freezing::kNotNeeded);
}

TEST_F(PlanTest, ARelativeTargetIsMeantFromHere) {
  const Plan made = plan({.leave_running = true, .export_file = "web.tar"});
  EXPECT_EQ(made.target, std::filesystem::current_path() / "web.tar");
}

TEST_F(PlanTest, HasEachTreeOnce) {
  EXPECT_THAT(members(plan({.leave_running = true})),
              ElementsAre("rootfs-diff.tar", "volumes/data.tar", "volumes/other.tar"));
}

TEST_F(PlanTest, LeavesOutWhatIsNotWanted) {
  const auto target = scratch_ / "web.tar";
  EXPECT_THAT(members(plan({.leave_running = true, .export_file = target, .ignore_rootfs = true})),
              ElementsAre("volumes/data.tar", "volumes/other.tar"));
  EXPECT_THAT(members(plan({.leave_running = true, .export_file = target, .ignore_volumes = true})),
              ElementsAre("rootfs-diff.tar"));
}

TEST_F(PlanTest, RefusesFlagsThatDoNotGoTogether) {
  EXPECT_EQ(refusal({.leave_running = true, .ignore_rootfs = true}), ErrorKind::kUsage);
  EXPECT_EQ(refusal({.leave_running = true, .ignore_volumes = true}), ErrorKind::kUsage);
  EXPECT_EQ(refusal({.require_freeze = true}), ErrorKind::kUsage);
}

TEST_F(PlanTest, RefusesToLoseTheCheckpointOfAContainerThatIsRemoved) {
  config_.remove_when_done = true;
  EXPECT_EQ(refusal({}), ErrorKind::kUsage);
  EXPECT_NO_THROW(plan({.leave_running = true}));
  EXPECT_NO_THROW(plan({.export_file = scratch_ / "web.tar"}));
}

TEST_F(PlanTest, RefusesAContainerThatCannotBeFrozenIfThatIsRequired) {
  const CheckpointOptions options{.leave_running = true, .require_freeze = true};
  EXPECT_EQ(refusal(options), ErrorKind::kUnsupported);
  EXPECT_THAT(message_thrown_by([&] { plan(options); }), HasSubstr("web"));
}

TEST_F(PlanTest, RefusesTargetsThatCannotBeWritten) {
  EXPECT_EQ(refusal_of_target(scratch_.path()), ErrorKind::kConflict);
  EXPECT_EQ(refusal_of_target(scratch_ / "no/such/web.tar"), ErrorKind::kNotFound);
  EXPECT_EQ(refusal_of_target("/dev/null"), ErrorKind::kConflict);
  test::write_text(scratch_ / "old.tar", "old");
  EXPECT_NO_THROW(plan({.leave_running = true, .export_file = scratch_ / "old.tar"}));
  EXPECT_EQ(read_file(scratch_ / "old.tar"), "old");
}

TEST_F(PlanTest, RefusesAContainerThatHasEnded) {
  container();
  container_.reset();
  init_.end();
  container_.emplace(engine::Container::open(layout_, *store_, "web"));
  EXPECT_EQ(refusal({.leave_running = true}), ErrorKind::kConflict);
}

TEST_F(PlanTest, RefusesWithoutCriu) {
  container();
  programs_.remove("criu");
  EXPECT_EQ(refusal({.leave_running = true}), ErrorKind::kNotFound);
}

TEST(MemoryStaging, TakesWhatFits) {
  Plan plan;
  plan.memory_bytes = uint64_t{1} << 30;
  EXPECT_FALSE(stages_in_memory(plan));
  plan.options.memory_staging_bytes = plan.memory_bytes;
  EXPECT_FALSE(stages_in_memory(plan)) << "images have more in them than memory";
  plan.options.memory_staging_bytes = 2 * plan.memory_bytes;
  EXPECT_TRUE(stages_in_memory(plan));
}

}  // namespace
}  // namespace still::checkpoint
