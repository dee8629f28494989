// The parts of the engine that are plain computation.
#include <gmock/gmock.h>

#include <csignal>
#include <thread>

#include "cgroup/container_cgroup.h"
#include "engine/container/container.h"
#include "engine/container/mounts.h"
#include "engine/container/names.h"
#include "engine/container/selection.h"
#include "engine/container/signals.h"
#include "engine/container/volumes.h"
#include "engine/monitor/detach_keys.h"
#include "engine/monitor/runtime_errors.h"
#include "journal/undoers.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/process.h"
#include "store/layout.h"
#include "subject/processes.h"
#include "support.h"

namespace still::engine {
namespace {

using test::kind_thrown_by;
using test::message_thrown_by;
using test::Scratch;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;

TEST(MadeUpNames, LookAsExpected) {
  EXPECT_THAT(make_id(), MatchesRegex("[0-9a-f]{64}"));
  EXPECT_NE(make_id(), make_id());
  for (int i = 0; i < 100; ++i) {
    const std::string name = make_name();
    EXPECT_THAT(name, MatchesRegex("[a-z]+_[a-z]+"));
    check_name("container", name);
  }
}

TEST(Names, AreChecked) {
  for (const char* name : {"a", "A9._-", "0"}) check_name("volume", name);
  for (const char* name : {"", "-a", ".a", "..", "a/b", "a b", "a\n", "\xc3\xa4"}) {
    EXPECT_EQ(kind_thrown_by([&] { check_name("volume", name); }), ErrorKind::kUsage) << name;
  }
  EXPECT_EQ(kind_thrown_by([&] { check_name("volume", std::string(256, 'a')); }),
            ErrorKind::kUsage);
}

class VolumesTest : public testing::Test {
 protected:
  VolumesTest() : layout_(store::Layout::resolve(scratch_.path().native(), {})) {
    layout_.create();
  }

  Scratch scratch_;
  store::Layout layout_;
  store::Store store_{scratch_.path()};
  journal::Undoers undoers_;
  Volumes volumes_{{.layout = layout_, .store = store_, .undoers = undoers_}};
};

TEST_F(VolumesTest, ComeAndGo) {
  EXPECT_EQ(volumes_.create("data", false, {}), "data");
  EXPECT_TRUE(path_exists(layout_.volume_data("data")));
  EXPECT_EQ(kind_thrown_by([&] { volumes_.create("data", false, {}); }), ErrorKind::kConflict);
  volumes_.ensure("data");
  volumes_.remove("data", false);
  EXPECT_FALSE(path_exists(layout_.volumes() / "data"));
  EXPECT_EQ(kind_thrown_by([&] { volumes_.remove("data", false); }), ErrorKind::kNotFound);
  EXPECT_THAT(volumes_.create("", true, {}), MatchesRegex("[0-9a-f]{64}"));
}

TEST_F(VolumesTest, DataOfNobodyIsNotTouched) {
  scratch_.make("volumes/data");
  test::write_text(layout_.volumes() / "data/precious", "x");
  EXPECT_EQ(kind_thrown_by([&] { volumes_.create("data", false, {}); }), ErrorKind::kConflict);
  EXPECT_EQ(kind_thrown_by([&] { volumes_.ensure("data"); }), ErrorKind::kConflict);
  EXPECT_TRUE(path_exists(layout_.volumes() / "data/precious"));
}

TEST_F(VolumesTest, InterruptedRemovalIsFinished) {
  scratch_.make("volumes/.removed-x");
  test::write_text(layout_.volumes() / ".removed-x/rest", "x");
  volumes_.create("a", false, {});
  volumes_.remove("a", false);
  EXPECT_TRUE(std::filesystem::is_empty(layout_.volumes()));
}

TEST_F(VolumesTest, UsersAreNamed) {
  store::ContainerRecord user;
  user.id = std::string(64, 'a');
  user.name = "user";
  user.config_json = to_json({.volumes = {{"data", "/data"}}});
  volumes_.create("data", false, {});
  store_.add_container(user);
  EXPECT_EQ(volumes_.users("data").size(), 1u);
  EXPECT_THAT(message_thrown_by([&] { volumes_.remove("data", false); }), HasSubstr("user"));
  volumes_.remove("data", true);
  EXPECT_EQ(store_.volumes().size(), 0u);
}

TEST(Signals, AreParsed) {
  EXPECT_EQ(parse_signal("TERM"), SIGTERM);
  EXPECT_EQ(parse_signal("SIGKILL"), SIGKILL);
  EXPECT_EQ(parse_signal("sigusr1"), SIGUSR1);
  EXPECT_EQ(parse_signal("15"), 15);
  EXPECT_EQ(parse_signal("RTMIN+3"), SIGRTMIN + 3);
  EXPECT_EQ(parse_signal("SIGRTMAX"), SIGRTMAX);
  for (const char* text : {"", "SIG", "X", "0", "-1", "65", "RTMIN+x", "RTMAX+1", "1.5"}) {
    EXPECT_EQ(kind_thrown_by([&] { parse_signal(text); }), ErrorKind::kUsage) << text;
  }
}

TEST(DetachKeys, AreSeenAcrossReads) {
  DetachKeys keys;
  EXPECT_EQ(keys.filter("ab").passed, "ab");
  const auto held = keys.filter("c\x10");
  EXPECT_EQ(held.passed, "c");
  EXPECT_FALSE(held.detach);
  const auto seen = keys.filter("\x11 rest");
  EXPECT_TRUE(seen.detach);
  EXPECT_EQ(seen.passed, "");
}

TEST(DetachKeys, OtherKeysAfterTheFirstPass) {
  DetachKeys keys;
  EXPECT_EQ(keys.filter("\x10x").passed, "\x10x");
  EXPECT_EQ(keys.filter("\x11").passed, "\x11");
  EXPECT_EQ(keys.filter("\x10\x10").passed, "\x10");
  EXPECT_TRUE(keys.filter("\x11").detach);
}

TEST(RuntimeErrors, TellMissingFromForbiddenCommands) {
  const std::pair<const char*, ErrorKind> cases[] = {
      {"executable file `x` not found in $PATH: No such file or directory",
       ErrorKind::kCommandMissing},
      {"the path `/etc/passwd` exists but it is not executable: Operation not permitted",
       ErrorKind::kCannotExecute},
      {R"(time="t" level=error msg="runc create failed: unable to start container process: )"
       R"(exec: \"x\": executable file not found in $PATH")",
       ErrorKind::kCommandMissing},
      {R"(time="t" level=error msg="exec failed: exec: \"/x\": permission denied")",
       ErrorKind::kCannotExecute},
      {R"(time="t" level=error msg="exec: \"/x\": stat /x: no such file or directory")",
       ErrorKind::kCommandMissing},
      {"mount `/x` to `/y`: No such file or directory", ErrorKind::kRuntime},
      {"CRIU restoring failed -52", ErrorKind::kRuntime},
      {"", ErrorKind::kRuntime},
  };
  for (const auto& [message, kind] : cases) {
    EXPECT_EQ(runtime_error(message).kind(), kind) << message;
    EXPECT_THAT(runtime_error(message).message(), Not(HasSubstr("level="))) << message;
    EXPECT_NE(runtime_error(message).message(), "") << message;
  }
}

cgroup::Location at(const std::string& path) {
  return {cgroup::Version::kV2, path, "/sys/fs/cgroup" + path};
}

TEST(OwnCgroup, IsTheOneThatTheEngineMade) {
  const auto own = cgroup::own_cgroup("/still/id", at("/still/id/nested/deep"), at("/user"));
  ASSERT_TRUE(own);
  EXPECT_EQ(own->path, "/still/id");
  EXPECT_EQ(own->directory, "/sys/fs/cgroup/still/id");
  EXPECT_TRUE(cgroup::own_cgroup("/still/id", at("/still/id"), std::nullopt));
}

TEST(OwnCgroup, IsNeverAnotherOne) {
  EXPECT_FALSE(cgroup::own_cgroup("/still/id", at("/still/id2"), std::nullopt));
  EXPECT_FALSE(cgroup::own_cgroup("/still/id", at("/still"), std::nullopt));
  EXPECT_FALSE(cgroup::own_cgroup("/still/id", at("/"), std::nullopt));
}

TEST(OwnCgroup, IsNeverOurs) {
  EXPECT_FALSE(cgroup::own_cgroup("/still/id", at("/still/id"), at("/still/id/sub")));
  EXPECT_FALSE(cgroup::own_cgroup("/still/id", at("/still/id"), at("/still/id")));
  EXPECT_TRUE(cgroup::own_cgroup("/still/id", at("/still/id"), at("/still/idle")));
}

TEST(ForeignProcesses, DoNotDescendFromInit) {
  // 10 is init, 11 and 12 descend from it, 20 was brought in by 1, 21 is its child, 30 has ended.
  const std::map<pid_t, pid_t> parents = {{1, 0}, {10, 5}, {11, 10}, {12, 11},
                                          {5, 1}, {20, 1}, {21, 20}};
  EXPECT_THAT(subject::foreign_among({10, 11, 12, 20, 21, 30}, 10, parents), ElementsAre(20, 21));
  EXPECT_THAT(subject::foreign_among({10}, 10, parents), IsEmpty());
}

TEST(ForeignProcesses, CircleOfReusedNumbersEnds) {
  EXPECT_THAT(subject::foreign_among({3}, 10, {{3, 4}, {4, 3}}), ElementsAre(3));
}

std::vector<std::string> destinations(const std::vector<oci::SpecMount>& mounts) {
  std::vector<std::string> result;
  for (const auto& mount : mounts) result.push_back(mount.destination);
  return result;
}

const oci::SpecMount& find(const std::vector<oci::SpecMount>& mounts,
                           const std::string& destination) {
  return *std::ranges::find(mounts, destination, &oci::SpecMount::destination);
}

TEST(Mounts, OuterOnesComeFirst) {
  ContainerConfig config;
  config.volumes = {{"v", "/a/b/c"}};
  config.tmpfs = {{"/a/b", {}}};
  config.binds = {{"/", "/a"}};
  const auto all = destinations(container_mounts({"/root", "/run"}, config, ContainerPaths("/c")));
  EXPECT_LT(std::ranges::find(all, "/a"), std::ranges::find(all, "/a/b"));
  EXPECT_LT(std::ranges::find(all, "/a/b"), std::ranges::find(all, "/a/b/c"));
}

TEST(Mounts, UsersWinOverOurs) {
  ContainerConfig config;
  config.binds = {{"/", "/etc/hosts"}};
  config.tmpfs = {{"/dev/shm", {}}};
  const auto mounts = container_mounts({"/root", "/run"}, config, ContainerPaths("/c"));
  EXPECT_EQ(find(mounts, "/etc/hosts").source, "/");
  EXPECT_EQ(find(mounts, "/dev/shm").type, "tmpfs");
  EXPECT_EQ(std::ranges::count(destinations(mounts), "/dev/shm"), 1);
  EXPECT_EQ(find(mounts, "/etc/hostname").source, "/c/etc/hostname");
}

TEST(Mounts, VolumesCannotBringPrivileges) {
  ContainerConfig config;
  config.volumes = {{"v", "/v", true}};
  const auto mounts = container_mounts({"/root", "/run"}, config, ContainerPaths("/c"));
  EXPECT_EQ(find(mounts, "/v").source, "/root/volumes/v/_data");
  EXPECT_THAT(find(mounts, "/v").options, Contains("nosuid"));
  EXPECT_THAT(find(mounts, "/v").options, Contains("nodev"));
  EXPECT_THAT(find(mounts, "/v").options, Contains("ro"));
}

TEST(Mounts, TmpfsDefaultsYieldToTheirOpposites) {
  ContainerConfig config;
  config.tmpfs = {{"/t", {"exec", "size=1m", "notmpcopyup"}}};
  const auto options =
      find(container_mounts({"/root", "/run"}, config, ContainerPaths("/c")), "/t").options;
  EXPECT_THAT(options, Contains("exec"));
  EXPECT_THAT(options, Not(Contains("noexec")));
  EXPECT_THAT(options, Contains("nosuid"));
  EXPECT_THAT(options, Not(Contains("tmpcopyup")));
  EXPECT_THAT(options, Not(Contains("notmpcopyup")));
}

TEST(Mounts, MissingBindSourceIsNamed) {
  ContainerConfig config;
  config.binds = {{"/nonexistent", "/x"}};
  EXPECT_THAT(
      message_thrown_by([&] { container_mounts({"/root", "/run"}, config, ContainerPaths("/c")); }),
      HasSubstr("/nonexistent"));
}

TEST(Mounts, ReadOnlyRootGetsWritablePlaces) {
  ContainerConfig config;
  config.read_only = true;
  const auto all = destinations(container_mounts({"/root", "/run"}, config, ContainerPaths("/c")));
  for (const char* place : {"/run", "/tmp", "/var/tmp"}) EXPECT_THAT(all, Contains(place));
}

store::ContainerRecord record(const std::string& id, const std::string& name) {
  store::ContainerRecord result;
  result.id = id + std::string(64 - id.size(), '0');
  result.name = name;
  result.config_json = "{}";
  return result;
}

TEST(Selection, ResolvesInOneWayOnly) {
  const Scratch scratch;
  store::Store store(scratch.path());
  EXPECT_EQ(kind_thrown_by([&] { resolve(store, {.references = {}, .latest = true}); }),
            ErrorKind::kNotFound);
  store.add_container(record("ab", "one"));
  store.add_container(record("cd", "two"));
  EXPECT_EQ(resolve(store, {.references = {"two", "ab", "cd"}}).size(), 2u);
  EXPECT_EQ(resolve(store, {.references = {}, .all = true}).size(), 2u);
  EXPECT_EQ(resolve(store, {.references = {}, .latest = true})[0].substr(0, 2), "cd");
  EXPECT_EQ(kind_thrown_by([&] { resolve(store, {}); }), ErrorKind::kUsage);
  EXPECT_EQ(kind_thrown_by([&] { resolve(store, {.references = {"one"}, .all = true}); }),
            ErrorKind::kUsage);
  EXPECT_EQ(kind_thrown_by([&] { resolve(store, {.references = {"none"}}); }),
            ErrorKind::kNotFound);
}

TEST(CurrentState, OfARecordThatIsOutOfDate) {
  const Scratch scratch;
  const store::Layout layout = store::Layout::resolve(scratch.path().native(), {});
  layout.create();
  store::ContainerRecord stale = record("ab", "one");
  stale.status = store::ContainerStatus::kRunning;
  stale.pid = 1;
  stale.pid_start_time = 12345678;  // not that of process 1
  stale.boot_id = "another boot";
  EXPECT_EQ(current(layout, stale).status, store::ContainerStatus::kExited);
  EXPECT_EQ(current(layout, stale).exit_code, 255);
  test::write_text(layout.exits() / stale.id, "7");
  EXPECT_EQ(current(layout, stale).exit_code, 7);
  EXPECT_GT(current(layout, stale).finished_at.count(), 0);
  stale.status = store::ContainerStatus::kCreated;
  EXPECT_EQ(current(layout, stale).status, store::ContainerStatus::kCreated);
}

TEST(KillWithDescendants, CatchesWhatIsBeingBorn) {
  for (int round = 0; round < 10; ++round) {
    Child parent = Child::start({.arguments = {"sh", "-c",
                                               "i=0; while [ $i -lt 500 ]; do sleep 60 & "
                                               "i=$((i + 1)); done; wait"},
                                 .own_process_group = true});
    std::this_thread::sleep_for(std::chrono::milliseconds(10 + round));
    subject::kill_with_descendants(parent.pid());
    EXPECT_EQ(parent.wait().signal, SIGKILL);
    // What init has to reap ends at once.
    const Deadline deadline = deadline_in(std::chrono::seconds(2));
    while (group_is_alive(parent.pid()) && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_FALSE(group_is_alive(parent.pid()));
  }
}

}  // namespace
}  // namespace still::engine
