#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <thread>

#include "os/atomic_file.h"
#include "os/files.h"
#include "os/inode_flags.h"
#include "os/mount.h"
#include "os/walk.h"
#include "support.h"

namespace still {
namespace {

using test::kind_thrown_by;
using test::message_thrown_by;
using test::open_dir;
using test::Scratch;
using test::write_text;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

int errno_thrown_by(const auto& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.error_number();
  }
  return 0;
}

mode_t mode_of(const std::filesystem::path& path) {
  struct stat status{};
  ::lstat(path.c_str(), &status);
  return status.st_mode & 07777;
}

TEST(Files, ErrorsNameTheFileInOneLine) {
  const auto message = message_thrown_by([] { read_file("/no/such\nfile"); });
  EXPECT_THAT(message, HasSubstr("/no/such\\nfile"));
  EXPECT_THAT(message, HasSubstr("No such file"));
}

TEST(Files, AbsenceCanBeAnAnswer) {
  const Scratch scratch;
  write_text(scratch / "file", "x");
  EXPECT_FALSE(open_if_exists(scratch / "none", O_RDONLY));
  EXPECT_FALSE(open_if_exists(scratch / "file/none", O_RDONLY));
  EXPECT_FALSE(read_file_if_exists(scratch / "none"));
  EXPECT_EQ(read_file_if_exists(scratch / "file"), "x");
  EXPECT_FALSE(open_at_if_exists(open_dir(scratch.path()), "none", O_RDONLY));
  EXPECT_FALSE(stat_at(open_dir(scratch.path()), "none"));
  EXPECT_FALSE(path_exists(scratch / "none"));
}

// What the kernel says of a descriptor can be opened, and gone when it is read.
TEST(Files, WhatIsSaidOfAClosedDescriptorIsAbsent) {
  constexpr int kNumber = 900;
  std::jthread other([](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      ::dup2(STDIN_FILENO, kNumber);
      ::close(kNumber);
    }
  });
  for (const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
       std::chrono::steady_clock::now() < end;) {
    EXPECT_NO_THROW(read_file_if_exists("/proc/self/fdinfo/900"));
  }
}

TEST(Files, ALinkThatLeadsNowhereExists) {
  const Scratch scratch;
  std::filesystem::create_symlink("nowhere", scratch / "link");
  EXPECT_TRUE(path_exists(scratch / "link"));
  EXPECT_TRUE(S_ISLNK(stat_at(open_dir(scratch.path()), "link")->st_mode));
}

TEST(Files, AreReadWhole) {
  const Scratch scratch;
  const std::string large(200'000, 'x');
  write_text(scratch / "large", large);
  write_text(scratch / "empty", "");
  EXPECT_EQ(read_file(scratch / "large"), large);
  EXPECT_EQ(read_file(scratch / "empty"), "");
  const Fd fd = open_file(scratch / "large", O_RDONLY);
  ::lseek(fd.get(), 199'990, SEEK_SET);
  EXPECT_EQ(read_all(fd), std::string(10, 'x'));
}

TEST(Files, LinksOfAnyLengthAreRead) {
  const Scratch scratch;
  const std::string target(4000, 't');
  std::filesystem::create_symlink(target, scratch / "link");
  EXPECT_EQ(read_link_at(open_dir(scratch.path()), "link"), target);
}

TEST(Files, AtomicWritesReplaceTheWholeContentAndMode) {
  const Scratch scratch;
  write_file_atomically(scratch / "file", "first, and longer", 0644);
  write_file_atomically(scratch / "file", "second", 0600);
  EXPECT_EQ(read_file(scratch / "file"), "second");
  EXPECT_EQ(mode_of(scratch / "file"), 0600U);
  EXPECT_THAT(list_names(open_dir(scratch.path())), ElementsAre("file"));
}

TEST(Files, AFailedAtomicWriteLeavesNothingBehind) {
  const Scratch scratch;
  scratch.make("directory/in it");
  EXPECT_EQ(kind_thrown_by([&] { write_file_atomically(scratch / "directory", "x", 0600); }),
            ErrorKind::kConflict);
  EXPECT_THAT(list_names(open_dir(scratch.path())), ElementsAre("directory"));
}

TEST(AtomicFile, HasNoNameUntilItIsCommitted) {
  const Scratch scratch;
  {
    const AtomicFile given_up(scratch / "file", 0600);
    STILL_REQUIRE(list_names(open_dir(scratch.path())).empty(), "files without a name");
  }
  AtomicFile file(scratch / "file", 0640, "key");
  write_all(file.fd(), "content");
  EXPECT_TRUE(list_names(open_dir(scratch.path())).empty());
  file.commit();
  EXPECT_THAT(list_names(open_dir(scratch.path())), ElementsAre("file"));
  EXPECT_EQ(read_file(scratch / "file"), "content");
  EXPECT_EQ(mode_of(scratch / "file"), 0640U);
}

// Whatever happens to the way to it, nothing is made elsewhere, and nothing half is left.
TEST(AtomicFile, IsNotCommittedWhereThePathDoesNotLeadAnyMore) {
  using std::filesystem::rename;
  const Scratch scratch;
  const auto place = scratch / "place";
  const auto moved = scratch / "moved";
  const auto other = scratch.make("other");
  const std::vector<std::function<void()>> changes = {[&] { rename(place, moved); },
                                                      [&] {
                                                        rename(place, moved);
                                                        make_directory(place);
                                                      },
                                                      [&] {
                                                        rename(place, moved);
                                                        std::filesystem::create_directory_symlink(
                                                            other, place);
                                                      },
                                                      [&] {
                                                        rename(place, moved);
                                                        write_text(place, "a file");
                                                      }};
  for (const auto& change : changes) {
    make_directory(place);
    write_text(place / "file", "old");
    {
      AtomicFile file(place / "file", 0600);
      write_all(file.fd(), "half");
      change();
      EXPECT_THAT(message_thrown_by([&] { file.commit(); }),
                  HasSubstr(place.native() + " was renamed, replaced or removed"));
    }
    EXPECT_THAT(list_names(open_dir(moved)), ElementsAre("file"));
    EXPECT_EQ(read_file(moved / "file"), "old");
    EXPECT_TRUE(list_names(open_dir(other)).empty());
    EXPECT_FALSE(path_exists(place / "file"));
    remove_tree(place);
    remove_tree(moved);
  }
  make_directory(place);
  AtomicFile file(place / "file", 0600);
  remove_tree(place);
  EXPECT_EQ(kind_thrown_by([&] { file.commit(); }), ErrorKind::kConflict);
}

TEST(AtomicFile, AsANewOneReplacesNothingThatTakesItsNameMeanwhile) {
  const Scratch scratch;
  {
    AtomicFile file(scratch / "file", 0600);
    write_all(file.fd(), "new");
    write_text(scratch / "file", "old");
    EXPECT_EQ(kind_thrown_by([&] { file.commit_new(); }), ErrorKind::kConflict);
  }
  EXPECT_THAT(list_names(open_dir(scratch.path())), ElementsAre("file"));
  EXPECT_EQ(read_file(scratch / "file"), "old");
  AtomicFile(scratch / "other", 0600).commit_new();
  EXPECT_TRUE(path_exists(scratch / "other"));
}

TEST(AtomicFile, DoesNotFollowALinkThatTakesItsNameMeanwhile) {
  const Scratch scratch;
  write_text(scratch / "victim", "unharmed");
  AtomicFile file(scratch.make("place") / "file", 0600);
  std::filesystem::create_symlink("../victim", scratch / "place/file");
  EXPECT_THAT(message_thrown_by([&] { file.commit(); }), HasSubstr("not a regular file"));
  EXPECT_EQ(read_file(scratch / "victim"), "unharmed");
}

// A link on the way is one when the place is found; it stays the directory that it led to then.
TEST(AtomicFile, MayBeBehindALink) {
  const Scratch scratch;
  scratch.make("disk");
  std::filesystem::create_directory_symlink("disk", scratch / "place");
  AtomicFile file(scratch / "place/file", 0600);
  file.commit();
  EXPECT_TRUE(path_exists(scratch / "disk/file"));
}

TEST(Files, AnAtomicWriteOnAFullFileSystemKeepsTheOldContent) {
  STILL_REQUIRE_ROOT();
  const Scratch scratch;
  const auto small = scratch.make("small");
  still::mount("tmpfs", small, "tmpfs", 0, "size=64k");
  write_file_atomically(small / "file", "old", 0600);
  EXPECT_EQ(errno_thrown_by(
                [&] { write_file_atomically(small / "file", std::string(1 << 20, 'x'), 0600); }),
            ENOSPC);
  EXPECT_EQ(read_file(small / "file"), "old");
  EXPECT_THAT(list_names(open_dir(small)), ElementsAre("file"));
  EXPECT_LE(free_space(small), 65536U);
  unmount_all(small);
}

TEST(Files, DirectoriesGetTheirModeWhateverTheUmask) {
  const Scratch scratch;
  const mode_t before = ::umask(0077);
  make_directory(scratch / "a", 0755);
  make_directories(scratch / "b/c/d", 0711);
  ::umask(before);
  EXPECT_EQ(mode_of(scratch / "a"), 0755U);
  EXPECT_EQ(mode_of(scratch / "b/c"), 0711U);
  EXPECT_EQ(mode_of(scratch / "b/c/d"), 0711U);
  make_directory(scratch / "a", 0700);  // exists: is left as it is
  EXPECT_EQ(mode_of(scratch / "a"), 0755U);
  make_directories(scratch / "b/c/d");
  write_text(scratch / "file", "");
  EXPECT_EQ(errno_thrown_by([&] { make_directory(scratch / "file"); }), EEXIST);
}

TEST(Files, ControlFilesGetOneWrite) {
  const Scratch scratch;
  write_text(scratch / "control", "old value");
  write_control_file(scratch / "control", "new");
  EXPECT_EQ(read_file(scratch / "control"), "new value");
  EXPECT_EQ(errno_thrown_by([&] { write_control_file(scratch / "none", "x"); }), ENOENT);
}

TEST(Files, BeneathMeansBeneath) {
  const Scratch scratch;
  const auto root = scratch.make("root/inner");
  write_text(scratch / "secret", "secret");
  write_text(scratch / "root/inner/file", "fine");
  std::filesystem::create_symlink("../secret", scratch / "root/up");
  std::filesystem::create_symlink(scratch / "secret", scratch / "root/absolute");
  std::filesystem::create_symlink("inner/file", scratch / "root/inside");
  const Fd directory = open_dir(scratch / "root");
  EXPECT_EQ(read_all(open_beneath(directory, "inner/file", O_RDONLY)), "fine");
  EXPECT_EQ(read_all(open_beneath(directory, "inside", O_RDONLY)), "fine");
  EXPECT_EQ(read_all(open_beneath(directory, "inner/../inner/file", O_RDONLY)), "fine");
  for (const char* path : {"../secret", "/etc/passwd", "up", "absolute", "inner/../../secret"}) {
    EXPECT_EQ(errno_thrown_by([&] { open_beneath(directory, path, O_RDONLY); }), EXDEV) << path;
  }
}

TEST(RemoveTree, TakesEverythingAndFollowsNothing) {
  const Scratch scratch;
  scratch.make("tree/a/b");
  write_text(scratch / "outside", "stays");
  write_text(scratch / "tree/a/file\n", "x");
  std::filesystem::create_symlink("../../outside", scratch / "tree/a/link");
  std::filesystem::create_directory_symlink("..", scratch / "tree/up");
  if (::geteuid() == 0) ::chmod((scratch / "tree/a").c_str(), 0);
  remove_tree(scratch / "tree");
  EXPECT_THAT(list_names(open_dir(scratch.path())), ElementsAre("outside"));
  EXPECT_EQ(read_file(scratch / "outside"), "stays");
}

TEST(RemoveTree, TakesFilesAndLinksAndIsFineWithNothing) {
  const Scratch scratch;
  write_text(scratch / "file", "x");
  std::filesystem::create_directory_symlink("/usr", scratch / "link");
  remove_tree(scratch / "file");
  remove_tree(scratch / "link");
  remove_tree(scratch / "none");
  remove_tree(scratch / "none/below");
  EXPECT_TRUE(path_exists("/usr/bin"));
  EXPECT_TRUE(list_names(open_dir(scratch.path())).empty());
}

TEST(RemoveTree, GoesDeeperThanPathsAreLong) {
  const Scratch scratch;
  const std::string name(200, 'd');
  Fd directory = open_dir(scratch.make("deep"));
  for (int level = 0; level < 300; ++level) {
    ASSERT_EQ(::mkdirat(directory.get(), name.c_str(), 0755), 0);
    directory = open_at(directory, name, O_RDONLY | O_DIRECTORY);
  }
  const test::DescriptorLimit limit(128);
  remove_tree(scratch / "deep");
  EXPECT_FALSE(path_exists(scratch / "deep"));
}

TEST(RemoveTree, TakesWhatIsImmutableOrAppendOnly) {
  const Scratch scratch;
  scratch.make("tree/fixed/below");
  scratch.make("tree/log directory");
  for (const char* file : {"fixed/below/file", "fixed/file", "log directory/log", "alone"}) {
    write_text(scratch.path() / "tree" / file, "x");
  }
  std::filesystem::create_hard_link(scratch / "tree/alone", scratch / "elsewhere");
  std::filesystem::create_symlink("x", scratch / "tree/fixed/link");
  STILL_REQUIRE(test::set_flags(scratch / "tree/alone", kImmutable), "immutable files");
  for (const char* fixed : {"fixed/below/file", "fixed/below", "fixed", "."}) {
    ASSERT_TRUE(test::set_flags(scratch.path() / "tree" / fixed, kImmutable)) << fixed;
  }
  for (const char* growing : {"log directory/log", "log directory"}) {
    ASSERT_TRUE(test::set_flags(scratch.path() / "tree" / growing, kAppendOnly)) << growing;
  }
  remove_tree(scratch / "tree");
  EXPECT_FALSE(path_exists(scratch / "tree"));
  EXPECT_EQ(test::flags_of(scratch / "elsewhere"), kImmutable) << "that name is not the tree's";
  // A directory that is not of the tree keeps its entries.
  const auto holder = scratch.make("holder");
  write_text(holder / "file", "stays");
  ASSERT_TRUE(test::set_flags(holder, kImmutable));
  EXPECT_EQ(errno_thrown_by([&] { remove_tree(holder / "file"); }), EPERM);
  EXPECT_EQ(test::flags_of(holder), kImmutable);
}

TEST(RemoveTree, DoesNotGoIntoAnotherFileSystem) {
  STILL_REQUIRE_ROOT();
  const Scratch scratch;
  const auto mounted = scratch.make("tree/mounted");
  still::mount("tmpfs", mounted, "tmpfs", 0, "size=64k");
  write_text(mounted / "file", "stays");
  EXPECT_EQ(errno_thrown_by([&] { remove_tree(scratch / "tree"); }), EBUSY);
  EXPECT_EQ(read_file(mounted / "file"), "stays");
  unmount_all(mounted);
}

}  // namespace
}  // namespace still
