// The freezers on directories that look like cgroups; a thread plays the kernel.
#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/text.h"
#include "cgroup/freezer.h"
#include "os/files.h"
#include "support.h"

namespace still::cgroup {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::kind_thrown_by;
using test::message_thrown_by;
using test::write_text;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

// On v1 one file is both the request and the kernel's word. What was written for "THAWED" or
// "FROZEN" by request keeps this tail, and is the kernel's word only without it.
constexpr const char* kTail = " (asked)\n";

// Files are replaced by renaming, so that no half-written one is ever read.
void put(const std::filesystem::path& path, const std::string& text) {
  write_file_atomically(path, text, 0644);
}

class LookAlike : public testing::TestWithParam<Version> {
 protected:
  LookAlike() { populate(directory()); }

  bool v1() const { return GetParam() == Version::kV1; }
  std::filesystem::path directory() const { return scratch_ / "cg"; }
  Location location() const { return {GetParam(), "/cg", directory()}; }

  void populate(const std::filesystem::path& cgroup) const {
    make_directories(cgroup);
    put(cgroup / "cgroup.procs", "");
    if (v1()) {
      put(cgroup / "tasks", "");
      put(cgroup / "freezer.state", std::string("THAWED") + kTail);
      put(cgroup / "freezer.self_freezing", "0\n");
      put(cgroup / "freezer.parent_freezing", "0\n");
    } else {
      put(cgroup / "cgroup.threads", "");
      put(cgroup / "cgroup.freeze", "0\n");
      write_text(cgroup / "cgroup.events", "populated 1\nfrozen 0\n");
    }
  }

  void set_state(bool requested, bool frozen, bool parent_freezing = false) const {
    if (v1()) {
      put(directory() / "freezer.self_freezing", requested ? "1\n" : "0\n");
      put(directory() / "freezer.parent_freezing", parent_freezing ? "1\n" : "0\n");
      put(directory() / "freezer.state",
          frozen ? "FROZEN\n" : std::string(requested ? "FROZEN" : "THAWED") + kTail);
    } else {
      put(directory() / "cgroup.freeze", requested ? "1\n" : "0\n");
      // Written in place: the freezer keeps this file open, as it does the kernel's.
      write_text(directory() / "cgroup.events",
                 std::string("populated 1\nfrozen ") + (frozen ? "1\n" : "0\n"));
      if (parent_freezing) put(scratch_ / "cgroup.freeze", "1\n");
    }
  }

  // What has been written to ask for freezing or thawing.
  bool asked_to_freeze() const {
    const std::string text(
        trim(read_file(directory() / (v1() ? "freezer.state" : "cgroup.freeze"))));
    return v1() ? text.starts_with("FROZEN") : text == "1";
  }

  void list_threads(const std::filesystem::path& cgroup, const std::string& ids) const {
    put(cgroup / (v1() ? "tasks" : "cgroup.threads"), ids);
  }

  const test::Scratch scratch_;
};

INSTANTIATE_TEST_SUITE_P(Freezer, LookAlike, testing::Values(Version::kV1, Version::kV2),
                         [](const auto& info) { return to_string(info.param); });

// What v1 cannot play: there the request itself makes the look-alike thawed.
class LookAlikeV2 : public LookAlike {};
INSTANTIATE_TEST_SUITE_P(Freezer, LookAlikeV2, testing::Values(Version::kV2),
                         [](const auto& info) { return to_string(info.param); });

TEST_P(LookAlike, StateTellsRequestedFromFrozen) {
  const auto freezer = Freezer::open(location());
  EXPECT_EQ(freezer->version(), GetParam());
  EXPECT_FALSE(freezer->state().requested);
  EXPECT_FALSE(freezer->state().frozen);
  set_state(true, false);
  EXPECT_TRUE(freezer->state().requested);
  EXPECT_FALSE(freezer->state().frozen);
  set_state(true, true);
  EXPECT_TRUE(freezer->state().frozen);
  set_state(false, true, true);
  EXPECT_FALSE(freezer->state().requested);
  EXPECT_TRUE(freezer->state().frozen);
}

TEST_P(LookAlike, FreezeWaitsForTheKernelsWord) {
  const auto freezer = Freezer::open(location());
  std::atomic<bool> said{false};
  const std::jthread kernel([&] {
    while (!asked_to_freeze()) std::this_thread::yield();
    std::this_thread::sleep_for(milliseconds(30));
    said = true;
    set_state(true, true);
  });
  freezer->freeze(deadline_in(seconds(20)));
  EXPECT_TRUE(said);
  EXPECT_TRUE(freezer->state().frozen);
}

TEST_P(LookAlike, StaysFrozenWaitsForTasksOnTheirWayButNotForThawedOnes) {
  set_state(true, false);
  const auto freezer = Freezer::open(location());
  {
    const std::jthread kernel([&] {
      std::this_thread::sleep_for(milliseconds(20));
      set_state(true, true);
    });
    EXPECT_TRUE(freezer->stays_frozen(deadline_in(seconds(20))));
  }
  set_state(false, false);
  EXPECT_FALSE(freezer->stays_frozen(deadline_in(seconds(20))));
  set_state(true, false);
  EXPECT_FALSE(freezer->stays_frozen(deadline_in(milliseconds(1))));
}

TEST_P(LookAlike, ThawWaitsForTheKernelsWord) {
  set_state(true, true);
  const auto freezer = Freezer::open(location());
  const std::jthread kernel([&] {
    std::this_thread::sleep_for(milliseconds(30));
    set_state(false, false);
  });
  freezer->thaw(deadline_in(seconds(20)));
  EXPECT_FALSE(freezer->state().frozen);
}

TEST_P(LookAlike, AtTheDeadlineTheStateFoundBeforeIsRestored) {
  const auto freezer = Freezer::open(location());
  list_threads(directory(), "");
  EXPECT_EQ(kind_thrown_by([&] { freezer->freeze(deadline_in(milliseconds(20))); }),
            ErrorKind::kTimeout);
  EXPECT_FALSE(asked_to_freeze());
}

TEST_P(LookAlike, APausedCgroupStaysPausedAfterATimeOut) {
  set_state(true, false);
  const auto freezer = Freezer::open(location());
  EXPECT_EQ(kind_thrown_by([&] { freezer->freeze(deadline_in(milliseconds(20))); }),
            ErrorKind::kTimeout);
  EXPECT_TRUE(asked_to_freeze());
}

TEST_P(LookAlike, AtTheDeadlineTheTasksAreNamedAlsoThoseOfNestedCgroups) {
  const auto freezer = Freezer::open(location());
  populate(directory() / "nested/deep");
  list_threads(directory() / "nested/deep", std::to_string(::gettid()) + "\n");
  const auto message = message_thrown_by([&] { freezer->freeze(deadline_in(milliseconds(20))); });
  EXPECT_THAT(message, AllOf(HasSubstr("/cg"), HasSubstr(std::to_string(::gettid()) + " ("),
                             HasSubstr("state R")));
}

TEST_P(LookAlike, AtMostFiveTasksAreNamed) {
  const auto freezer = Freezer::open(location());
  // All names of the same living task.
  std::string ids;
  for (int i = 0; i < 9; ++i) ids += std::to_string(::gettid()) + "\n";
  list_threads(directory(), ids);
  const auto message = message_thrown_by([&] { freezer->freeze(deadline_in(milliseconds(20))); });
  EXPECT_EQ(split(message, ';').size(), 5U) << message;
}

TEST_P(LookAlikeV2, ACgroupBelowAFrozenOneStaysFrozen) {
  set_state(true, true, true);
  const auto freezer = Freezer::open(location());
  EXPECT_EQ(kind_thrown_by([&] { freezer->thaw(deadline_in(milliseconds(100))); }),
            ErrorKind::kConflict);
  EXPECT_FALSE(asked_to_freeze());
}

TEST_P(LookAlikeV2, GivesUpAtTheDeadline) {
  set_state(true, true);
  const auto freezer = Freezer::open(location());
  EXPECT_EQ(kind_thrown_by([&] { freezer->thaw(deadline_in(milliseconds(20))); }),
            ErrorKind::kTimeout);
  EXPECT_FALSE(asked_to_freeze());
}

TEST_P(LookAlikeV2, FrozenMeansThatNestedCgroupsAreFrozenToo) {
  populate(directory() / "nested/deep");
  set_state(true, true);
  const auto freezer = Freezer::open(location());
  EXPECT_FALSE(freezer->state().frozen);
  write_text(directory() / "nested/cgroup.events", "populated 0\nfrozen 1\n");
  EXPECT_FALSE(freezer->state().frozen);
  write_text(directory() / "nested/deep/cgroup.events", "populated 1\nfrozen 1\n");
  EXPECT_TRUE(freezer->state().frozen);
}

TEST_P(LookAlike, ItActsOnTheDirectoryItWasOpenedFor) {
  const auto freezer = Freezer::open(location());
  const ino_t before = freezer->inode();
  std::filesystem::rename(directory(), scratch_ / "moved");
  populate(directory());
  freezer->request(true);
  EXPECT_FALSE(asked_to_freeze());
  EXPECT_EQ(freezer->inode(), before);
  EXPECT_NE(Freezer::open(location())->inode(), before);
}

TEST_P(LookAlike, ARemovedCgroupIsNotFound) {
  const auto freezer = Freezer::open(location());
  std::filesystem::remove_all(directory());
  EXPECT_EQ(kind_thrown_by([&] { freezer->state(); }), ErrorKind::kNotFound);
  EXPECT_EQ(kind_thrown_by([&] { freezer->request(true); }), ErrorKind::kNotFound);
  EXPECT_EQ(kind_thrown_by([&] { Freezer::open(location()); }), ErrorKind::kNotFound);
}

TEST_P(LookAlike, ACgroupWithoutFreezerIsUnsupported) {
  std::filesystem::remove(directory() / (v1() ? "freezer.state" : "cgroup.freeze"));
  EXPECT_EQ(kind_thrown_by([&] { Freezer::open(location()); }), ErrorKind::kUnsupported);
}

TEST_P(LookAlike, ItRefusesTheCgroupThatItLivesInItself) {
  populate(directory() / "nested");
  put(directory() / "nested/cgroup.procs", "1\n" + std::to_string(::getpid()) + "\n");
  EXPECT_EQ(kind_thrown_by([&] { Freezer::open(location()); }), ErrorKind::kConflict);
}

TEST_P(LookAlike, ProcessesAreThoseOfAllNestedCgroups) {
  const auto freezer = Freezer::open(location());
  put(directory() / "cgroup.procs", "12\n7\n");
  populate(directory() / "a/b");
  populate(directory() / "c");
  put(directory() / "a/b/cgroup.procs", "1\n");
  put(directory() / "c/cgroup.procs", "0\n99\n");  // 0: of a pid namespace that is not below ours
  EXPECT_THAT(freezer->processes(), ElementsAre(1, 7, 12, 99));
}

TEST(FreezerV1, AsksAgainWhileItIsFreezing) {
  const test::Scratch scratch;
  const auto directory = scratch.make("cg");
  put(directory / "cgroup.procs", "");
  put(directory / "freezer.parent_freezing", "0\n");
  put(directory / "freezer.self_freezing", "1\n");
  put(directory / "freezer.state", "FREEZE\n");
  const auto freezer = Freezer::open({Version::kV1, "/cg", directory});
  // Nobody plays the kernel here; only a second request can change the file.
  freezer->freeze(deadline_in(seconds(20)));
  EXPECT_EQ(read_file(directory / "freezer.state"), "FROZEN\n");
}

}  // namespace
}  // namespace still::cgroup
