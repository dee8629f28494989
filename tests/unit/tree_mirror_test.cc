// Mirror: whatever happens to a tree between its passes, the last one makes the copy the tree.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/fs.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <random>
#include <thread>

#include "os/clock.h"
#include "os/files.h"
#include "os/inode_flags.h"
#include "os/mount.h"
#include "os/process.h"
#include "os/walk.h"
#include "support.h"
#include "tree/mirror.h"
#include "tree/proof.h"
#include "tree_fixture.h"

namespace still::tree {
namespace {

using namespace std::chrono_literals;
using std::filesystem::path;
using test::describe_tree;
using test::open_dir;
using test::Scratch;
using test::write_text;
using testing::ElementsAre;
using testing::IsEmpty;

// Longer than what counts as racy.
constexpr auto kSettled = 60ms;

// A tree, its mirror, and where both are.
class MirrorTest : public testing::Test {
 protected:
  MirrorTest() { make_places(scratch_.path()); }

  void make_places(const path& where) {
    source_ = where / "source";
    copy_ = where / "copy";
    spare_ = where / "spare";
    for (const path& place : {source_, copy_, spare_}) make_directory(place, 0755);
  }

  void begin(Precautions precautions = {}) {
    mirror_.emplace(open_dir(source_), open_dir(copy_), open_dir(spare_), precautions);
  }

  PassTotals finish(const std::set<ino_t>& suspects = {}) {
    return mirror_->finish(suspects, Instant::now().wall);
  }

  void expect_equal() {
    EXPECT_EQ(names_alone(describe_tree(copy_)), names_alone(describe_tree(source_)));
  }

  // A copy may have more names in the spare directory, so that one with a single name in the tree
  // is "the same as" itself.
  static std::vector<std::string> names_alone(std::vector<std::string> lines) {
    for (std::string& line : lines) {
      const std::string self = " same as " + line.substr(0, line.find(' '));
      if (line.ends_with(self)) line.resize(line.size() - self.size());
    }
    return lines;
  }

  path file(const std::string& name, std::string_view text) {
    write_text(source_ / name, text);
    return source_ / name;
  }

  Scratch scratch_;
  path source_, copy_, spare_;
  std::optional<Mirror> mirror_;
};

// Its content other, its size and times as before.
void rewrite_unseen(const path& file, std::string_view text) {
  struct stat before{};
  ASSERT_EQ(::stat(file.c_str(), &before), 0);
  const Fd opened = open_file(file, O_WRONLY);
  ASSERT_EQ(::pwrite(opened.get(), text.data(), text.size(), 0), std::ssize(text));
  const timespec times[] = {before.st_atim, before.st_mtim};
  ASSERT_EQ(::futimens(opened.get(), times), 0);
}

void exchange(const path& a, const path& b) {
  ASSERT_EQ(::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE), 0);
}

TEST_F(MirrorTest, CopiesEverythingThatATreeHas) {
  test::make_nasty_tree(source_);
  const auto before = describe_tree(source_);
  begin();
  mirror_->follow();
  finish();
  EXPECT_EQ(describe_tree(copy_), before);
  EXPECT_EQ(describe_tree(source_), before) << "the source was changed";
}

TEST_F(MirrorTest, CopiesEverythingInTheLastPassAlone) {
  test::make_nasty_tree(source_);
  begin();
  finish();
  expect_equal();
}

TEST_F(MirrorTest, DoesNothingForATreeThatDoesNotChange) {
  test::make_nasty_tree(source_);
  std::this_thread::sleep_for(kSettled);
  begin();
  mirror_->follow();
  const PassTotals totals = finish();
  EXPECT_EQ(totals.changed, 0U);
  EXPECT_EQ(totals.changed_bytes, 0U);
  EXPECT_GT(totals.entries, 20U);
}

TEST_F(MirrorTest, NeedsFewDescriptors) {
  test::make_nasty_tree(source_);
  for (int i = 0; i < 600; ++i) make_directory(source_ / std::to_string(i));
  const test::DescriptorLimit limit(400);
  begin();
  mirror_->follow();
  finish();
  expect_equal();
}

// With them the copy could not be brought up to date.
TEST_F(MirrorTest, KnowsTheFlagsOfTheTreeAndHasNoneItself) {
  for (const char* file : {"always", "from now on", "no longer"}) write_text(source_ / file, file);
  make_directory(source_ / "dir");
  write_text(source_ / "dir/moved", "m");
  STILL_REQUIRE(test::set_flags(source_ / "always", kImmutable), "immutable files");
  std::filesystem::create_symlink("x", source_ / "link");
  ASSERT_TRUE(test::set_flags(source_ / "no longer", kAppendOnly));
  ASSERT_TRUE(test::set_flags(source_ / "dir/moved", kAppendOnly));
  begin();
  mirror_->follow();
  ASSERT_TRUE(test::set_flags(source_ / "no longer", 0));
  write_text(source_ / "no longer", "changed");
  ASSERT_TRUE(test::set_flags(source_ / "from now on", kAppendOnly));
  std::filesystem::rename(source_ / "dir", source_ / "other");
  ASSERT_TRUE(test::set_flags(source_ / "other", kImmutable));
  ASSERT_TRUE(test::set_flags(source_, kAppendOnly));
  mirror_->follow();
  finish();
  expect_equal();
  const std::map<std::string, uint32_t> expected = {{"", kAppendOnly},
                                                    {"always", kImmutable},
                                                    {"from now on", kAppendOnly},
                                                    {"other", kImmutable},
                                                    {"other/moved", kAppendOnly}};
  EXPECT_EQ(mirror_->inode_flags(), expected);
  for (const auto& [name, flags] : expected) EXPECT_EQ(test::flags_of(copy_ / name), 0U) << name;
}

// --- what can happen to a tree ---

struct Case {
  const char* name;
  std::function<void(const path&)> change;
};

class MirrorFollows : public MirrorTest, public testing::WithParamInterface<Case> {
 protected:
  void make_tree() {
    make_directory(source_ / "dir/", 0755);
    make_directory(source_ / "dir/below", 0755);
    make_directory(source_ / "other", 0700);
    for (const char* name : {"a", "b", "dir/c", "dir/below/d", "other/e"}) file(name, name);
    write_text(source_ / "big", std::string(300'000, 'x'));
    std::filesystem::create_hard_link(source_ / "a", source_ / "dir/also a");
    std::filesystem::create_symlink("a", source_ / "link");
    ASSERT_EQ(::mkfifo((source_ / "fifo").c_str(), 0600), 0);
  }
};

TEST_P(MirrorFollows, InTheLastPass) {
  make_tree();
  std::this_thread::sleep_for(kSettled);
  begin();
  mirror_->follow();
  GetParam().change(source_);
  finish();
  expect_equal();
}

TEST_P(MirrorFollows, InAPassBefore) {
  make_tree();
  begin();
  mirror_->follow();
  GetParam().change(source_);
  mirror_->follow();
  std::this_thread::sleep_for(kSettled);
  mirror_->follow();
  EXPECT_EQ(finish().changed, 0U);
  expect_equal();
}

const Case kCases[] = {
    {"RewrittenUnseen", [](const path& root) { rewrite_unseen(root / "b", "B"); }},
    {"OneByteOfABigFile", [](const path& root) { rewrite_unseen(root / "big", "y"); }},
    {"Appended", [](const path& root) { std::ofstream(root / "b", std::ios::app) << "more"; }},
    {"Truncated", [](const path& root) { std::filesystem::resize_file(root / "big", 4097); }},
    {"TruncatedAndRegrown",
     [](const path& root) {
       std::filesystem::resize_file(root / "big", 10);
       std::filesystem::resize_file(root / "big", 300'000);
     }},
    {"HoleMade",
     [](const path& root) {
       const Fd big = open_file(root / "big", O_WRONLY);
       ASSERT_EQ(::fallocate(big.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536, 131072),
                 0);
     }},
    {"New", [](const path& root) { write_text(root / "dir/new", "n"); }},
    {"NewTree",
     [](const path& root) {
       make_directories(root / "x/y/z");
       write_text(root / "x/y/z/new", "n");
     }},
    {"Removed", [](const path& root) { std::filesystem::remove(root / "dir/c"); }},
    {"TreeRemoved", [](const path& root) { remove_tree(root / "dir"); }},
    {"Renamed", [](const path& root) { std::filesystem::rename(root / "a", root / "z"); }},
    {"RenamedOver", [](const path& root) { std::filesystem::rename(root / "a", root / "b"); }},
    {"Swapped", [](const path& root) { exchange(root / "a", root / "b"); }},
    {"SwappedWithItsDirectory", [](const path& root) { exchange(root / "dir/c", root / "other"); }},
    {"DirectoryRenamed",
     [](const path& root) { std::filesystem::rename(root / "dir", root / "moved"); }},
    {"DirectoriesSwapped", [](const path& root) { exchange(root / "dir", root / "other"); }},
    {"DirectoryMovedIntoItsPlace",
     [](const path& root) {
       remove_tree(root / "other");
       std::filesystem::rename(root / "dir", root / "other");
     }},
    {"ParentAndChildSwapped",
     [](const path& root) {
       std::filesystem::rename(root / "dir/below", root / "below");
       std::filesystem::rename(root / "dir", root / "below/dir");
       std::filesystem::rename(root / "below", root / "dir");
     }},
    {"FileBecomesDirectory",
     [](const path& root) {
       std::filesystem::remove(root / "b");
       make_directory(root / "b");
       write_text(root / "b/inside", "i");
     }},
    {"DirectoryBecomesFile",
     [](const path& root) {
       remove_tree(root / "dir");
       write_text(root / "dir", "d");
     }},
    {"DirectoryBecomesLinkToItself",
     [](const path& root) {
       std::filesystem::rename(root / "dir", root / "real");
       std::filesystem::create_symlink("real", root / "dir");
     }},
    {"LinkAdded",
     [](const path& root) { std::filesystem::create_hard_link(root / "b", root / "dir/also b"); }},
    {"LinkDropped", [](const path& root) { std::filesystem::remove(root / "dir/also a"); }},
    {"FirstNameDropped", [](const path& root) { std::filesystem::remove(root / "a"); }},
    {"NamesOfALinkedFileChange",
     [](const path& root) {
       std::filesystem::create_hard_link(root / "a", root / "third");
       std::filesystem::remove(root / "a");
       std::filesystem::remove(root / "dir/also a");
     }},
    {"LinkReplacedByACopy",
     [](const path& root) {
       std::filesystem::remove(root / "dir/also a");
       write_text(root / "dir/also a", "a");
     }},
    {"SymlinkChanged",
     [](const path& root) {
       std::filesystem::remove(root / "link");
       std::filesystem::create_symlink("b", root / "link");
     }},
    {"SymlinkGetsASecondName",
     [](const path& root) {
       ASSERT_EQ(::linkat(AT_FDCWD, (root / "link").c_str(), AT_FDCWD, (root / "link2").c_str(), 0),
                 0);
     }},
    {"FifoBecomesFile",
     [](const path& root) {
       std::filesystem::remove(root / "fifo");
       write_text(root / "fifo", "f");
     }},
    {"ModeOfAFile", [](const path& root) { ::chmod((root / "b").c_str(), 0604); }},
    {"ModeOfAFifo", [](const path& root) { ::chmod((root / "fifo").c_str(), 0604); }},
    {"ModeOfADirectory", [](const path& root) { ::chmod((root / "other").c_str(), 01777); }},
    {"ModeOfTheRoot", [](const path& root) { ::chmod(root.c_str(), 0711); }},
    {"AttributeOfADirectory",
     [](const path& root) {
       ASSERT_EQ(::setxattr((root / "dir/below").c_str(), "user.x", "1", 1, 0), 0);
     }},
    {"AttributeOfAFile",
     [](const path& root) { ASSERT_EQ(::setxattr((root / "b").c_str(), "user.x", "1", 1, 0), 0); }},
    {"TimesOfADirectory",
     [](const path& root) {
       const timespec times[] = {{.tv_sec = 5, .tv_nsec = 6}, {.tv_sec = 7, .tv_nsec = 8}};
       ASSERT_EQ(::utimensat(AT_FDCWD, (root / "dir").c_str(), times, 0), 0);
     }},
    {"DirectoryEmptiedAndTimesSetBack",
     [](const path& root) {
       struct stat before{};
       ASSERT_EQ(::stat((root / "dir").c_str(), &before), 0);
       std::filesystem::remove(root / "dir/c");
       const timespec times[] = {before.st_atim, before.st_mtim};
       ASSERT_EQ(::utimensat(AT_FDCWD, (root / "dir").c_str(), times, 0), 0);
     }},
    {"EverythingRemoved",
     [](const path& root) {
       for (const auto& entry : std::filesystem::directory_iterator(root))
         remove_tree(entry.path());
     }},
};

INSTANTIATE_TEST_SUITE_P(What, MirrorFollows, testing::ValuesIn(kCases),
                         [](const auto& instance) { return instance.param.name; });

// --- at random ---

class RandomChanges {
 public:
  RandomChanges(path root, unsigned seed) : root_(std::move(root)), random_(seed) {}

  void change() {
    const path a = any();
    const path b = any();
    std::error_code ignored;
    switch (below(9)) {
      case 0:
        return make_file(a);
      case 1:
        ::mkdir(a.c_str(), 0700 | static_cast<mode_t>(below(64)));
        return;
      case 2:
        std::filesystem::remove(a, ignored);
        return;
      case 3:
        std::filesystem::rename(a, b, ignored);
        return;
      case 4:
        ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE);
        return;
      case 5:
        ::link(a.c_str(), b.c_str());
        return;
      case 6:
        ::symlink("target", a.c_str());
        return;
      case 7:
        ::lchown(a.c_str(), below(3), below(3));
        return;
      case 8:
        std::filesystem::resize_file(a, below(20'000), ignored);
    }
  }

 private:
  unsigned below(unsigned limit) { return std::uniform_int_distribution(0U, limit - 1)(random_); }

  // Few names, so that they meet.
  path any() {
    path result = root_;
    for (unsigned depth = 1 + below(3); depth > 0; --depth)
      result /= std::string(1, 'a' + below(4));
    return result;
  }

  void make_file(const path& file) {
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0) return;
    const Fd opened(fd);
    const std::string text(below(10'000), static_cast<char>('0' + below(10)));
    [[maybe_unused]] const ssize_t written = ::pwrite(fd, text.data(), text.size(), below(5000));
  }

  const path root_;
  std::mt19937 random_;
};

TEST_F(MirrorTest, FollowsRandomChanges) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    const Scratch place;
    make_places(place.path());
    begin();
    RandomChanges changes(source_, seed);
    for (int pass = 0; pass < 6; ++pass) {
      for (int i = 0; i < 40; ++i) changes.change();
      mirror_->follow();
    }
    for (int i = 0; i < 40; ++i) changes.change();
    finish();
    ASSERT_EQ(names_alone(describe_tree(copy_)), names_alone(describe_tree(source_)))
        << "seed " << seed;
  }
}

TEST_F(MirrorTest, SurvivesChangesDuringItsPasses) {
  begin();
  {
    const std::jthread writer([&](const std::stop_token& stop) {
      RandomChanges changes(source_, 1);
      while (!stop.stop_requested()) changes.change();
    });
    for (int pass = 0; pass < 40; ++pass) mirror_->follow();
  }
  finish();
  expect_equal();
}

// --- the precautions ---

// A page that was dirty before the first pass is stored to after it, and unmapped before the last.
void store_unseen(Mirror& mirror, const path& file) {
  const Fd opened = open_file(file, O_RDWR);
  auto* page = static_cast<char*>(
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, opened.get(), 0));
  ASSERT_NE(page, MAP_FAILED);
  page[0] = '1';
  std::this_thread::sleep_for(kSettled);
  mirror.follow();
  page[0] = '2';
  ASSERT_EQ(::munmap(page, 4096), 0);
}

TEST_F(MirrorTest, SeesStoresToPagesThatWereDirtyBefore) {
  const path mapped = file("mapped", std::string(4096, '0'));
  begin();
  store_unseen(*mirror_, mapped);
  finish();
  expect_equal();
}

TEST_F(MirrorTest, WithoutWriteBackSuchStoresAreMissed) {
  const path mapped = file("mapped", std::string(4096, '0'));
  begin({.write_back = false});
  store_unseen(*mirror_, mapped);
  STILL_REQUIRE(can_tell_changes(open_dir(source_)), "a file system that tracks dirty pages");
  finish();
  EXPECT_EQ(read_file(copy_ / "mapped")[0], '1');
}

TEST_F(MirrorTest, CopiesSuspectsAgain) {
  const path mapped = file("mapped", std::string(4096, '0'));
  begin({.write_back = false});
  store_unseen(*mirror_, mapped);
  finish({stat_fd(open_file(mapped, O_RDONLY)).st_ino});
  expect_equal();
}

// ext4 mounted as ext3 has times of the coarse clock; newer kernels give ext4 finer ones whenever
// somebody has looked, which makes a racy change impossible.
class CoarseTimes : public MirrorTest {
 protected:
  void SetUp() override {
    STILL_REQUIRE(mount_coarse(), "root and a loop device with ext3");
    make_places(scratch_ / "mounted");
  }
  void TearDown() override {
    mirror_.reset();
    run_command({.arguments = {"umount", "--lazy", (scratch_ / "mounted").native()}});
  }

  // How many of many changes in the same tick as their copy are missed.
  int missed() {
    int count = 0;
    for (int i = 0; i < 200; ++i) {
      const path changed = file(std::to_string(i), "before");
      rewrite_unseen(changed, "BEFORE");
      mirror_->follow();
      rewrite_unseen(changed, "AFTER!");
      finish();
      if (read_file(copy_ / changed.filename()) != "AFTER!") ++count;
    }
    return count;
  }

 private:
  bool mount_coarse() {
    if (::geteuid() != 0) return false;
    const path image = scratch_ / "image";
    std::ofstream(image).close();
    std::filesystem::resize_file(image, 32 << 20);
    return run_command({.arguments = {"mkfs.ext3", "-q", "-I", "256", image.native()}})
               .status.ok() &&
           run_command({.arguments = {"mount", "-t", "ext3", "-o", "loop", image.native(),
                                      scratch_.make("mounted").native()}})
               .status.ok();
  }
};

TEST_F(CoarseTimes, RacyFilesAreCopiedAgain) {
  begin();
  EXPECT_EQ(missed(), 0);
}

TEST_F(CoarseTimes, WithoutThatChangesAreMissed) {
  begin({.copy_racy_again = false});
  EXPECT_GT(missed(), 0);
}

TEST(ProofTest, IsRacyUnlessTheChangeIsClearlyOlder) {
  struct stat status{};
  status.st_ctim = {.tv_sec = 1000, .tv_nsec = 1};
  EXPECT_TRUE(Proof(status, 1000s + 10ms).racy());
  EXPECT_TRUE(Proof(status, 999s).racy()) << "the clock was set back";
  EXPECT_FALSE(Proof(status, 1000s + 100ms).racy());
  status.st_ctim.tv_nsec = 0;  // perhaps a file system that has only whole seconds
  EXPECT_TRUE(Proof(status, 1000s + 100ms).racy());
  EXPECT_FALSE(Proof(status, 1003s).racy());
}

// Sets the wall clock for a moment; false without the right to.
bool step_clock(std::chrono::nanoseconds by) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const auto set = std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec) + by;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(set);
  now = {.tv_sec = seconds.count(), .tv_nsec = (set - seconds).count()};
  return ::clock_settime(CLOCK_REALTIME, &now) == 0;
}

bool step_clock_and_back() { return step_clock(1ms) && step_clock(-1ms); }

TEST(ClockWatchTest, TellsOfAClockThatWasSet) {
  ClockWatch watch;
  EXPECT_FALSE(watch.was_set());
  STILL_REQUIRE(step_clock_and_back(), "CAP_SYS_TIME");
  EXPECT_TRUE(watch.was_set());
  EXPECT_FALSE(watch.was_set());
}

// A change after a step back can have the ctime of the copy.
TEST_F(MirrorTest, BelievesNothingOnceTheClockWasSet) {
  const path changed = file("file", "text");
  std::this_thread::sleep_for(kSettled);
  begin();
  mirror_->follow();
  EXPECT_EQ(finish().changed, 0U);
  STILL_REQUIRE(step_clock_and_back(), "CAP_SYS_TIME");
  EXPECT_EQ(finish().changed, 2U) << "the file and its directory";
  expect_equal();
}

// --- somebody else ---

TEST_F(MirrorTest, TellsOfChangesWhileTheTreeStoodStill) {
  make_directory(source_ / "dir");
  for (const char* name : {"early", "late", "gone", "quiet"}) file(name, name);
  begin();
  mirror_->follow();
  std::this_thread::sleep_for(kSettled);
  const auto frozen_at = Instant::now().wall;
  std::this_thread::sleep_for(kSettled);
  rewrite_unseen(source_ / "early", "EARLY");
  mirror_->finish({}, frozen_at);
  EXPECT_THAT(mirror_->foreign_changes(coarse_now()), ElementsAre("early"));
  rewrite_unseen(source_ / "late", "LATE");
  std::filesystem::remove(source_ / "gone");
  write_text(source_ / "dir/new", "n");
  mirror_->check(2);
  write_text(source_ / "quiet", "not any more");
  std::this_thread::sleep_for(kSettled);
  const auto end = coarse_now();
  std::this_thread::sleep_for(kSettled);
  write_text(source_ / "own", "after the end");
  EXPECT_THAT(mirror_->foreign_changes(end),
              ElementsAre(".", "dir", "dir/new", "early", "gone", "late", "quiet"));
}

TEST_F(MirrorTest, NobodyElseIsSeenWhereNobodyWas) {
  test::make_nasty_tree(source_);
  begin();
  mirror_->follow();
  write_text(source_ / "own", "o");
  finish();
  mirror_->check(2);
  const auto end = coarse_now();
  write_text(source_ / "own", "p");
  EXPECT_THAT(mirror_->foreign_changes(end), IsEmpty());
}

TEST_F(MirrorTest, FailsWhereAFileSystemHasComeThatItDoesNotEnter) {
  STILL_REQUIRE_ROOT();
  make_directory(source_ / "dir");
  begin();
  mirror_->follow();
  mount("tmpfs", source_ / "dir", "tmpfs", 0, "");
  EXPECT_THAT(test::message_thrown_by([&] { finish(); }), testing::HasSubstr("dir has become"));
  unmount_all(source_ / "dir");
}

// CRIU's directories, which come and go in the window.
TEST_F(MirrorTest, LeavesOutWhatTheDumpItselfDoes) {
  make_directory(source_ / "tmp");
  make_directory(source_ / "tmp/cr-tmpfs.before", 0700);
  make_directory(source_ / "tmp/cr-tmpfs.longer name", 0700);
  write_text(source_ / "tmp/cr-tmpfs.isfile", "mine");
  mirror_.emplace(open_dir(source_), open_dir(copy_), open_dir(spare_), Precautions{},
                  tree::Scratch({"", "tmp"}));
  mirror_->follow();
  const auto frozen_at = Instant::now().wall;
  std::this_thread::sleep_for(kSettled);
  make_directory(source_ / "tmp/cr-tmpfs.aBcDeF", 0700);
  // As nobody but somebody outside would make them.
  write_text(source_ / "tmp/cr-tmpfs.nodirs", "not CRIU's");
  make_directory(source_ / "tmp/cr-tmpfs.others", 0755);
  mirror_->finish({}, frozen_at);
  std::filesystem::remove(source_ / "tmp/cr-tmpfs.aBcDeF");
  make_directory(source_ / "tmp/foreign");
  mirror_->check(2);
  EXPECT_THAT(mirror_->foreign_changes(coarse_now()),
              ElementsAre("tmp/cr-tmpfs.nodirs", "tmp/cr-tmpfs.others", "tmp/foreign"));
  EXPECT_THAT(
      list_names(open_dir(copy_ / "tmp")),
      testing::UnorderedElementsAre("cr-tmpfs.before", "cr-tmpfs.longer name", "cr-tmpfs.isfile",
                                    "cr-tmpfs.nodirs", "cr-tmpfs.others"));
}

}  // namespace
}  // namespace still::tree
