#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/files.h"
#include "os/mount.h"
#include "os/process.h"
#include "os/walk.h"
#include "support.h"

namespace still {
namespace {

using test::open_dir;
using test::Scratch;
using test::write_text;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

// What a walk reports: "+path", "-path" for directories, "path" for the rest.
std::vector<std::string> walk(const std::filesystem::path& root, const WalkOptions& options) {
  std::vector<std::string> seen;
  walk_tree(open_dir(root), options, [&](const WalkEntry& entry) {
    constexpr const char* kSigns[] = {"+", "-", ""};
    seen.push_back(kSigns[entry.kind] + entry.path);
    EXPECT_TRUE(entry.path.ends_with(entry.name));
    EXPECT_EQ(stat_at(entry.parent, entry.name)->st_ino, entry.status.st_ino);
  });
  return seen;
}

TEST(Walk, ReportsDirectoriesBeforeAndAfterTheirEntries) {
  const Scratch scratch;
  scratch.make("b/empty");
  write_text(scratch / "b/file", "");
  write_text(scratch / "a", "");
  std::filesystem::create_symlink("b", scratch / "c");
  EXPECT_THAT(walk(scratch.path(), {.sorted = true}),
              ElementsAre("a", "+b", "+b/empty", "-b/empty", "b/file", "-b", "c"));
  EXPECT_THAT(walk(scratch.path(), {}),
              UnorderedElementsAre("a", "+b", "+b/empty", "-b/empty", "b/file", "-b", "c"));
}

TEST(Walk, SortsByBytes) {
  const Scratch scratch;
  for (const char* name : {"b", "a", "\xff", "B", "a\n"}) write_text(scratch / name, "");
  EXPECT_THAT(walk(scratch.path(), {.sorted = true}), ElementsAre("B", "a", "a\n", "b", "\xff"));
}

TEST(Walk, AnEmptyDirectoryHasNothingToReport) {
  EXPECT_TRUE(walk(Scratch().make(""), {}).empty());
}

TEST(Walk, GoesDeeperThanDescriptorsReachAndPathsAreLong) {
  const Scratch scratch;
  const std::string name(100, 'd');
  constexpr int kLevels = 400;  // 40,000 bytes of path
  {
    Fd directory = open_dir(scratch.path());
    for (int level = 0; level < kLevels; ++level) {
      ASSERT_EQ(::mkdirat(directory.get(), name.c_str(), 0755), 0);
      write_all(open_at(directory, "file", O_WRONLY | O_CREAT, 0644), "x");
      directory = open_at(directory, name, O_RDONLY | O_DIRECTORY);
    }
  }
  const test::DescriptorLimit limit(128);
  int directories = 0;
  int files = 0;
  size_t longest = 0;
  walk_tree(open_dir(scratch.path()), {}, [&](const WalkEntry& entry) {
    directories += entry.kind == WalkEntry::kDirectoryLeave;
    files += entry.kind == WalkEntry::kOther;
    longest = std::max(longest, entry.path.size());
    EXPECT_TRUE(stat_at(entry.parent, entry.name));
  });
  EXPECT_EQ(directories, kLevels);
  EXPECT_EQ(files, kLevels);
  EXPECT_EQ(longest, kLevels * 101U - 1);
}

TEST(Walk, StaysOnItsFileSystemUnlessToldOtherwise) {
  STILL_REQUIRE_ROOT();
  const Scratch scratch;
  const auto mounted = scratch.make("mounted");
  still::mount("tmpfs", mounted, "tmpfs", 0, "size=64k");
  write_text(mounted / "file", "");
  EXPECT_THAT(walk(scratch.path(), {.sorted = true}).size(), 2U);
  EXPECT_THAT(walk(scratch.path(), {.cross_file_systems = true}),
              ElementsAre("+mounted", "mounted/file", "-mounted"));
  unmount_all(mounted);
}

TEST(Walk, EntriesThatVanishAreLeftOut) {
  const Scratch scratch;
  for (const char* name : {"a", "b", "c"}) scratch.make(name);
  std::vector<std::string> seen;
  walk_tree(open_dir(scratch.path()), {.sorted = true}, [&](const WalkEntry& entry) {
    seen.push_back(entry.path);
    if (entry.path == "a") remove_tree(scratch / "b");
  });
  EXPECT_THAT(seen, ElementsAre("a", "a", "c", "c"));
}

TEST(Walk, ADirectoryThatIsSwappedForALinkIsNotFollowed) {
  const Scratch scratch;
  scratch.make("outside");
  write_text(scratch / "outside/secret", "");
  scratch.make("root/b");
  write_text(scratch / "root/a", "");
  const auto swap = [&](const WalkEntry& entry) {
    EXPECT_EQ(entry.path.find("secret"), std::string::npos);
    if (entry.kind != WalkEntry::kOther) return;
    remove_tree(scratch / "root/b");
    std::filesystem::create_directory_symlink("../outside", scratch / "root/b");
  };
  walk_tree(open_dir(scratch / "root"), {.sorted = true}, swap);
}

TEST(Walk, ErrorsOfTheVisitorSayWhere) {
  const Scratch scratch;
  scratch.make("a/b");
  const auto message = test::message_thrown_by([&] {
    walk_tree(open_dir(scratch.path()), {}, [](const WalkEntry& entry) {
      if (entry.path == "a/b") throw Error(ErrorKind::kConflict, "no");
    });
  });
  EXPECT_EQ(message, "a/b: no");
}

TEST(Walk, CanBeRepeatedFromTheSameDescriptor) {
  const Scratch scratch;
  write_text(scratch / "file", "");
  const Fd root = open_dir(scratch.path());
  for (int i = 0; i < 2; ++i) {
    int seen = 0;
    walk_tree(root, {}, [&](const WalkEntry&) { ++seen; });
    EXPECT_EQ(seen, 1);
  }
}

TEST(ListNames, ADirectoryThatWasRemovedHasNone) {
  const test::Scratch scratch;
  const Fd directory = test::open_dir(scratch.make("gone"));
  std::filesystem::remove(scratch / "gone");
  EXPECT_TRUE(list_names(directory).empty());
}

// As a process ends while its descriptors are looked at.
TEST(ListNames, TheDescriptorsOfAProcessThatHasEndedAreNone) {
  Child child = Child::start({.arguments = {"sleep", "1000"}});
  const Fd directory = test::open_dir("/proc/" + std::to_string(child.pid()) + "/fd");
  EXPECT_FALSE(list_names(directory).empty());
  child.signal(SIGKILL);
  child.wait();
  EXPECT_TRUE(list_names(directory).empty());
}

}  // namespace
}  // namespace still
