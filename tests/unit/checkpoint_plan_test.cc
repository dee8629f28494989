#include <gmock/gmock.h>

#include <algorithm>

#include "archive/reader.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/plan.h"
#include "fake_source.h"
#include "journal/undoers.h"

namespace still::checkpoint {
namespace {

using subject::TreeKind;
using test::kind_thrown_by;
using test::message_thrown_by;
using testing::ElementsAre;
using testing::HasSubstr;

// A container without a cgroup.
class PlanTest : public testing::Test {
 protected:
  void SetUp() override {
    STILL_REQUIRE(init_.pid() > 0, "process namespaces");
    layout_.create();
    store_.emplace(layout_.root);
    container_.directory = scratch_.make("container");
    container_.subject = {
        .engine = "fake",
        .id = std::string(64, 'a'),
        .name = "web",
        .image = "rootfs:/base",
        .init = identify_process(init_.pid()),
        .runtime = "crun",
        .cgroup = "/fake-web",
        .has_cgroup = false,
        .trees = {{.kind = TreeKind::kRootfs, .source = scratch_.make("upper")},
                  {.kind = TreeKind::kVolume, .volume = "data", .source = scratch_.make("data")},
                  {.kind = TreeKind::kVolume, .volume = "other", .source = scratch_.make("other")}},
        .lower_layers = {scratch_.make("lower")},
        .engine_paths = {},
        .log = container_.directory / "log",
        .dump_work = container_.directory / "dump",
        .criu_configuration = container_.directory / "criu.conf",
        .criu_overrides = {},
        .config_dump = R"({"id": "a", "name": "web"})",
        .spec_dump = "{}"};
  }

  Plan plan(const CheckpointOptions& options) {
    return make_plan(test::FakeHeld(container_), {}, layout_, options);
  }
  ErrorKind refusal(const CheckpointOptions& options) {
    return kind_thrown_by([&] { plan(options); });
  }
  ErrorKind refusal_of_target(const std::filesystem::path& target) {
    return refusal({.leave_running = true, .export_file = target});
  }

  static std::vector<std::string> members(const Plan& plan) {
    std::vector<std::string> names;
    for (const cut::TreePlan& tree : plan.trees) names.push_back(cut::member_of(tree.tree));
    return names;
  }

  const test::Scratch scratch_;
  test::Init init_;
  test::Programs programs_{scratch_ / "bin"};
  store::Layout layout_{.root = scratch_.make("root"), .runroot = scratch_.make("run")};
  std::optional<store::Store> store_;
  test::FakeContainer container_;
};

TEST_F(PlanTest, OfALiveCheckpoint) {
  const auto target = scratch_ / "web.tar";
  const Plan made = plan({.leave_running = true, .export_file = target});
  EXPECT_EQ(made.container_name, "web");
  EXPECT_EQ(made.container_id, container_.subject.id);
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
  EXPECT_EQ(made.target, container_.directory / "checkpoint.tar");
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
  container_.subject.is_removed_when_done = true;
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
  test::write_text(scratch_ / "file", "x");
  std::filesystem::create_symlink("file", scratch_ / "link");
  EXPECT_EQ(refusal_of_target(scratch_ / "link"), ErrorKind::kConflict);
  test::write_text(scratch_ / "old.tar", "old");
  EXPECT_NO_THROW(plan({.leave_running = true, .export_file = scratch_ / "old.tar"}));
  EXPECT_EQ(read_file(scratch_ / "old.tar"), "old");
}

TEST_F(PlanTest, RefusesAContainerThatHasEnded) {
  init_.end();
  EXPECT_EQ(refusal({.leave_running = true}), ErrorKind::kConflict);
}

TEST_F(PlanTest, RefusesWithoutCriu) {
  programs_.remove("criu");
  EXPECT_EQ(refusal({.leave_running = true}), ErrorKind::kNotFound);
}

class AnyMember : public archive::MemberSink {
 public:
  void directory(const std::string& /*name*/) override {}
  void link(const std::string& /*name*/, const std::string& /*target*/) override {}
  void file(const std::string& /*name*/, uint64_t /*size_bytes*/,
            const archive::Source& /*content*/) override {}
};

// What another engine's containers need is a source, and nothing else.
TEST_F(PlanTest, AContainerOfAnotherSourceIsCheckpointedByTheSameCode) {
  container_.subject.has_cgroup = true;  // that its process does not live in
  test::write_text(scratch_ / "upper/changed", "changed");
  test::write_text(scratch_ / "data/rows", "rows");
  const auto target = scratch_ / "web.tar";
  const journal::Undoers undoers;
  const journal::Host host{.layout = layout_, .store = *store_, .undoers = undoers};
  test::FakeSource source(container_);
  cut::Observer observer;

  auto prepared = prepare(source, host, "web", {.leave_running = true, .export_file = target});
  const CheckpointResult result = take(prepared, host, observer);

  EXPECT_FALSE(result.consistent) << "it cannot be frozen";
  EXPECT_EQ(container_.recorded, target);
  AnyMember members;
  const auto contents = archive::read_archive(target, members, {});
  ASSERT_TRUE(contents.manifest);
  EXPECT_EQ(contents.manifest->engine, "fake");
  EXPECT_EQ(contents.manifest->cgroup, "/fake-web");
  for (const char* member : {"config.dump", "checkpoint/inventory.img", "rootfs-diff.tar",
                             "volumes/data.tar", "volumes/other.tar"}) {
    EXPECT_TRUE(contents.manifest->members.contains(member)) << member;
  }
  EXPECT_TRUE(store_->journal().empty());
}

TEST_F(PlanTest, OneOfAnEngineThatKnowsNoSuchEndIsCheckpointedLiveAndExported) {
  container_.subject.own_checkpoint = "fake checkpoint web";
  container_.stores = false;
  const auto target = scratch_ / "web.tar";
  EXPECT_EQ(refusal({.export_file = target}), ErrorKind::kUnsupported);
  EXPECT_EQ(refusal({.leave_running = true}), ErrorKind::kUsage);
  EXPECT_NO_THROW(plan({.leave_running = true, .export_file = target}));
}

TEST_F(PlanTest, OneThatItsEngineHasChangedMeanwhileHasNoCheckpoint) {
  container_.changed = true;
  container_.subject.has_cgroup = true;  // that its process does not live in
  const auto target = scratch_ / "web.tar";
  const journal::Undoers undoers;
  const journal::Host host{.layout = layout_, .store = *store_, .undoers = undoers};
  test::FakeSource source(container_);
  cut::Observer observer;

  auto prepared = prepare(source, host, "web", {.leave_running = true, .export_file = target});
  EXPECT_EQ(kind_thrown_by([&] { take(prepared, host, observer); }), ErrorKind::kConflict);
  EXPECT_FALSE(path_exists(target));
  EXPECT_TRUE(store_->journal().empty());
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
