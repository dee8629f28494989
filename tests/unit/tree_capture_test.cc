// The methods of capture, each on the file system that it is for.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <fstream>
#include <thread>

#include "os/clock.h"
#include "os/files.h"
#include "os/mount.h"
#include "os/process.h"
#include "os/share.h"
#include "support.h"
#include "tree/capture.h"
#include "tree/proof.h"
#include "tree/scan.h"
#include "tree/survey.h"
#include "tree_fixture.h"

namespace still::tree {
namespace {

using namespace std::chrono_literals;
using test::describe_tree;
using test::open_dir;
using test::Scratch;
using test::write_text;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kTicks = 30ms;

class CaptureTest : public testing::Test {
 protected:
  void TearDown() override {
    capture_.reset();
    if (!mounted_) return;
    EXPECT_TRUE(run_command({.arguments = {"umount", base_.native()}}).status.ok());
  }

  // A new file system; false if this machine has none of the kind.
  bool mount_new(const std::string& type) {
    if (::geteuid() != 0) return false;
    const auto image = scratch_ / "image";
    std::ofstream(image).close();
    std::filesystem::resize_file(image, uint64_t{400} << 20);
    base_ = scratch_.make("mounted");
    mounted_ = run_command({.arguments = {"mkfs." + type, "-q", image.native()}}).status.ok() &&
               run_command({.arguments = {"mount", "-o", "loop", image.native(), base_.native()}})
                   .status.ok();
    return mounted_;
  }

  void mount_memory() {
    base_ = scratch_.make("mounted");
    mount("tmpfs", base_, "tmpfs", 0, "");
    mounted_ = true;
  }

  void make_places() {
    make_directories(base_ / "staging/tree");
    make_directory(base_ / "staging/spare");
    if (!path_exists(source())) make_directory(source());
  }

  std::filesystem::path source() const { return base_ / "source"; }
  std::filesystem::path copy() const { return base_ / "staging/tree"; }

  void begin() {
    const Fd tree = open_dir(source());
    capture_ = Capture::begin(
        survey_tree(tree, open_dir(base_ / "staging")).method, tree,
        {.parent = open_dir(base_ / "staging"), .name = "tree", .spare = "spare"}, {});
  }

  // Not the nasty one: file systems differ in what links and attributes they can hold.
  void make_tree() {
    make_directories(source() / "dir/below");
    write_text(source() / "dir/below/file", std::string(100'000, 'x'));
    write_text(source() / "holes", "h");
    std::filesystem::resize_file(source() / "holes", uint64_t{1} << 30);
    std::filesystem::create_hard_link(source() / "dir/below/file", source() / "linked");
    std::filesystem::create_symlink("dir", source() / "link");
    ASSERT_EQ(::mkfifo((source() / "fifo").c_str(), 0600), 0);
    ASSERT_EQ(::setxattr((source() / "dir").c_str(), "user.x", "1", 1, 0), 0);
  }

  // Prepares, changes something, cuts; the copy must be the tree.
  void capture_a_tree_that_changes() {
    make_tree();
    begin();
    capture_->prepare();
    write_text(source() / "late", "late");
    std::filesystem::remove(source() / "holes");
    capture_->cut({}, Instant::now().wall);
    capture_->check(2);
    EXPECT_EQ(describe_tree(copy()), describe_tree(source()));
    EXPECT_THAT(capture_->foreign_changes(coarse_now()), IsEmpty());
    EXPECT_EQ(capture_->method(),
              survey_tree(open_dir(source()), open_dir(base_ / "staging")).method);
  }

  Scratch scratch_;
  std::filesystem::path base_ = scratch_.path();
  std::unique_ptr<Capture> capture_;
  bool mounted_ = false;
};

// One directory with many, and many directories.
TEST(ScanTree, EndsWhereThereAreTooMany) {
  const Scratch scratch;
  for (const char* name : {"a", "b", "c", "d"}) scratch.make(std::string(name) + "/below");
  const Fd root = open_dir(scratch.path());
  EXPECT_EQ(scan_tree(root, 2, {}, 9).size(), 9U);
  EXPECT_THAT(test::message_thrown_by([&] { scan_tree(root, 2, {}, 8); }),
              testing::HasSubstr("8 entries or more"));
  EXPECT_EQ(test::kind_thrown_by([&] { scan_tree(root, 2, {}, 3); }), ErrorKind::kSystem);
  EXPECT_GT(entries_that_fit(), 1000U);
}

TEST_F(CaptureTest, CopiesBeforeOnExt4) {
  STILL_REQUIRE(mount_new("ext4"), "root and ext4 on a loop device");
  make_places();
  capture_a_tree_that_changes();
  EXPECT_EQ(capture_->method(), Method::kPreCopy);
}

TEST_F(CaptureTest, ClonesOnXfs) {
  STILL_REQUIRE(mount_new("xfs"), "root and XFS on a loop device");
  make_places();
  capture_a_tree_that_changes();
  EXPECT_EQ(capture_->method(), Method::kClone);
}

TEST_F(CaptureTest, ClonesADirectoryOnBtrfs) {
  STILL_REQUIRE(mount_new("btrfs"), "root and btrfs on a loop device");
  make_places();
  capture_a_tree_that_changes();
  EXPECT_EQ(capture_->method(), Method::kClone);
}

TEST_F(CaptureTest, TakesASnapshotOfASubvolume) {
  STILL_REQUIRE(mount_new("btrfs"), "root and btrfs on a loop device");
  ASSERT_TRUE(make_subvolume(open_dir(base_), "source"));
  make_places();
  capture_a_tree_that_changes();
  EXPECT_EQ(capture_->method(), Method::kSnapshot);
  EXPECT_TRUE(is_subvolume(open_dir(copy())));
  capture_.reset();
  remove_tree(base_ / "staging");
  EXPECT_FALSE(path_exists(base_ / "staging"));
}

TEST_F(CaptureTest, ASnapshotTellsOfForeignChangesToo) {
  STILL_REQUIRE(mount_new("btrfs"), "root and btrfs on a loop device");
  ASSERT_TRUE(make_subvolume(open_dir(base_), "source"));
  make_places();
  write_text(source() / "quiet", "q");
  make_directory(source() / "dir");
  begin();
  capture_->prepare();
  const auto frozen_at = Instant::now().wall;
  std::this_thread::sleep_for(kTicks);
  write_text(source() / "dir/foreign", "f");
  capture_->cut({}, frozen_at);
  write_text(source() / "dir/later", "l");
  const auto end = coarse_now();
  std::this_thread::sleep_for(kTicks);
  write_text(source() / "quiet", "own");
  EXPECT_THAT(capture_->foreign_changes(end + kTicks / 2),
              ElementsAre("dir", "dir/foreign", "dir/later"));
}

TEST_F(CaptureTest, CopiesInTheCutWhereChangesCannotBeTold) {
  STILL_REQUIRE_ROOT();
  mount_memory();
  make_places();
  make_tree();
  begin();
  EXPECT_FALSE(capture_->gains_by_rounds());
  EXPECT_EQ(capture_->prepare().entries, 0U);
  capture_->cut({}, Instant::now().wall);
  EXPECT_EQ(describe_tree(copy()), describe_tree(source()));
  EXPECT_EQ(capture_->method(), Method::kCopy);
}

TEST_F(CaptureTest, SubvolumesAreRemovedWithTheTreeAroundThem) {
  STILL_REQUIRE(mount_new("btrfs"), "root and btrfs on a loop device");
  make_directories(base_ / "a/b");
  ASSERT_TRUE(make_subvolume(open_dir(base_ / "a/b"), "one"));
  ASSERT_TRUE(make_subvolume(open_dir(base_ / "a/b"), "two"));
  write_text(base_ / "a/b/one/file", "x");
  ASSERT_TRUE(snapshot_subvolume(open_dir(base_ / "a/b/one"), open_dir(base_ / "a"), "three"));
  remove_tree(base_ / "a/b/two");
  EXPECT_FALSE(path_exists(base_ / "a/b/two"));
  remove_tree(base_ / "a");
  EXPECT_FALSE(path_exists(base_ / "a"));
}

}  // namespace
}  // namespace still::tree
