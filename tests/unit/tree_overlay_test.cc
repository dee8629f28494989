#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <regex>

#include "archive/tree_tar.h"
#include "os/files.h"
#include "os/mount.h"
#include "support.h"
#include "tree/copy.h"
#include "tree/overlay.h"
#include "tree_fixture.h"

namespace still::tree {
namespace {

namespace fs = std::filesystem;
using test::open_dir;
using test::Scratch;
using test::write_text;
using testing::ElementsAre;
using testing::IsEmpty;

void make_whiteout(const fs::path& path) {
  ASSERT_EQ(::mknod(path.c_str(), S_IFCHR, makedev(0, 0)), 0) << path;
}

void make_opaque(const fs::path& path, std::string_view value = "y") {
  ASSERT_EQ(::setxattr(path.c_str(), "trusted.overlay.opaque", value.data(), value.size(), 0), 0);
}

// Layers made by hand: "upper", and "lower1" above "lower2".
class RemovedPaths : public testing::Test {
 protected:
  void SetUp() override {
    STILL_REQUIRE_ROOT();
    for (const char* layer : {"upper", "lower1", "lower2"}) scratch_.make(layer);
  }

  fs::path upper(const std::string& name) const { return scratch_ / ("upper/" + name); }
  fs::path lower1(const std::string& name) const { return scratch_ / ("lower1/" + name); }
  fs::path lower2(const std::string& name) const { return scratch_ / ("lower2/" + name); }

  std::vector<std::string> gone(const std::vector<std::string>& excluded = {}) const {
    return removed(excluded).gone;
  }
  std::vector<std::string> replaced() const { return removed({}).replaced; }
  Removals removed(const std::vector<std::string>& excluded) const {
    std::vector<Fd> lower;
    lower.push_back(open_dir(scratch_ / "lower1"));
    lower.push_back(open_dir(scratch_ / "lower2"));
    return removed_paths(open_dir(scratch_ / "upper"), lower, excluded);
  }

  Scratch scratch_;
};

TEST_F(RemovedPaths, IsEmptyForAddedAndChangedFiles) {
  write_text(lower1("changed"), "old");
  write_text(upper("changed"), "new");
  write_text(upper("added"), "new");
  make_directory(upper("directory"));
  EXPECT_THAT(gone(), IsEmpty());
}

TEST_F(RemovedPaths, ListsWhiteoutsOfWhatIsThere) {
  write_text(lower2("gone"), "x");
  make_whiteout(upper("gone"));
  make_whiteout(upper("never was"));
  EXPECT_THAT(gone(), ElementsAre("gone"));
}

TEST_F(RemovedPaths, ListsARemovedDirectoryOnce) {
  make_directory(lower1("d"));
  write_text(lower1("d/file"), "x");
  make_whiteout(upper("d"));
  EXPECT_THAT(gone(), ElementsAre("d"));
}

TEST_F(RemovedPaths, ListsChangesBetweenDirectoryAndOtherKinds) {
  make_directory(lower1("was a directory"));
  write_text(lower1("was a directory/file"), "x");
  write_text(upper("was a directory"), "x");
  write_text(lower1("was a file"), "x");
  make_directory(upper("was a file"));
  write_text(upper("was a file/inside"), "x");
  write_text(lower1("was a file, now a link"), "x");
  fs::create_symlink("x", upper("was a file, now a link"));
  EXPECT_THAT(gone(), IsEmpty());
  EXPECT_THAT(replaced(), ElementsAre("was a directory", "was a file"));
}

TEST_F(RemovedPaths, ListsAnOpaqueDirectoryAndWhatItHides) {
  make_directories(lower1("d/sub/deeper"));
  write_text(lower1("d/hidden"), "x");
  write_text(lower2("kept"), "x");
  make_directory(lower2("d"));
  write_text(lower2("d/hidden too"), "x");
  write_text(lower1("d/replaced"), "x");
  write_text(lower1("d/sub/hidden"), "x");
  make_directories(upper("d/sub"));
  make_opaque(upper("d"));
  write_text(upper("d/replaced"), "y");
  EXPECT_THAT(gone(), ElementsAre("d/hidden", "d/hidden too", "d/sub/deeper", "d/sub/hidden"));
  EXPECT_THAT(replaced(), ElementsAre("d"));
}

TEST_F(RemovedPaths, ListsWhatAnOpaqueDirectoryWithAnExcludedPathHides) {
  make_directories(lower1("d/sub/deeper"));
  write_text(lower1("d/hidden"), "x");
  write_text(lower1("d/excluded"), "x");
  make_directory(lower2("d"));
  write_text(lower2("d/hidden too"), "x");
  write_text(lower1("d/sub/hidden"), "x");
  make_directories(upper("d/sub"));
  make_opaque(upper("d"));
  EXPECT_THAT(gone({"d/excluded"}),
              ElementsAre("d/hidden", "d/hidden too", "d/sub/deeper", "d/sub/hidden"));
  EXPECT_THAT(removed({"d/excluded"}).replaced, IsEmpty());
}

TEST_F(RemovedPaths, ListsChangesOfKindBelowAnOpaqueDirectory) {
  make_directories(lower1("d/directory"));
  write_text(lower1("d/file"), "x");
  write_text(lower1("d/whiteout"), "x");
  make_directories(upper("d/file"));
  make_opaque(upper("d"));
  write_text(upper("d/directory"), "x");
  make_whiteout(upper("d/whiteout"));
  EXPECT_THAT(gone(), ElementsAre("d/whiteout"));
  EXPECT_THAT(replaced(), ElementsAre("d", "d/directory", "d/file"));
}

TEST_F(RemovedPaths, TakesADirectoryWithXattrWhiteoutsForAPlainOne) {
  make_directory(lower1("d"));
  write_text(lower1("d/shows"), "x");
  make_directory(upper("d"));
  make_opaque(upper("d"), "x");
  EXPECT_THAT(gone(), IsEmpty());
}

TEST_F(RemovedPaths, SeesWhiteoutsInLowerLayers) {
  write_text(lower2("file"), "x");
  make_whiteout(lower1("file"));
  make_whiteout(upper("file"));
  make_directory(lower2("d"));
  make_whiteout(lower1("d"));
  write_text(upper("d"), "x");
  EXPECT_THAT(gone(), IsEmpty());
}

TEST_F(RemovedPaths, SeesOpaqueDirectoriesInLowerLayers) {
  make_directory(lower2("d"));
  write_text(lower2("d/hidden below"), "x");
  make_directory(lower1("d"));
  make_opaque(lower1("d"));
  write_text(lower1("d/shows"), "x");
  make_directory(upper("d"));
  make_opaque(upper("d"));
  EXPECT_THAT(gone(), ElementsAre("d/shows"));
  EXPECT_THAT(replaced(), ElementsAre("d"));
}

TEST_F(RemovedPaths, SeesFilesThatHideDirectoriesInLowerLayers) {
  make_directory(lower2("d"));
  write_text(lower2("d/hidden"), "x");
  write_text(lower1("d"), "x");
  make_directory(upper("d"));
  make_whiteout(upper("d/hidden"));
  EXPECT_THAT(gone(), IsEmpty());
  EXPECT_THAT(replaced(), ElementsAre("d"));
}

TEST_F(RemovedPaths, LeavesOutWhatIsExcluded) {
  make_directory(lower1("run"));
  write_text(lower1("run/file"), "x");
  write_text(lower1("runner"), "x");
  make_directory(upper("run"));
  make_whiteout(upper("run/file"));
  make_whiteout(upper("runner"));
  EXPECT_THAT(gone({"run"}), ElementsAre("runner"));
}

TEST_F(RemovedPaths, KeepsNamesOfAnyBytes) {
  write_text(lower1("\xff\n"), "x");
  make_whiteout(upper("\xff\n"));
  EXPECT_THAT(gone(), ElementsAre("\xff\n"));
}

// The proof: what a real overlay shows after changes is what removal and extraction make of the
// layers below, and nothing else is needed.
class OverlayRoundTrip : public testing::Test {
 protected:
  void SetUp() override {
    STILL_REQUIRE_ROOT();
    for (const char* name : {"lower1", "lower2", "upper", "work", "merged", "upper2", "work2",
                             "merged2", "upper3", "work3", "merged3", "staged"}) {
      scratch_.make(name);
    }
    make_lower_layers();
    mount_layers("upper", "work", "merged");
  }

  void TearDown() override {
    for (const char* name : {"merged", "merged2", "merged3"}) unmount_all(scratch_ / name);
  }

  void make_lower_layers() const {
    make_directories(scratch_ / "lower2/etc/deep/deeper");
    write_text(scratch_ / "lower2/etc/deep/deeper/file", "2");
    write_text(scratch_ / "lower2/etc/removed in 1", "2");
    make_directories(scratch_ / "lower2/opaque in 1/old");
    make_directories(scratch_ / "lower1/etc");
    make_whiteout(scratch_ / "lower1/etc/removed in 1");
    write_text(scratch_ / "lower1/etc/passwd", "1");
    write_text(scratch_ / "lower1/etc/shadow", "1");
    make_directory(scratch_ / "lower1/opaque in 1");
    make_opaque(scratch_ / "lower1/opaque in 1");
    write_text(scratch_ / "lower1/opaque in 1/file", "1");
    make_directories(scratch_ / "lower1/tree/of/files");
    write_text(scratch_ / "lower1/tree/of/files/one", "1");
  }

  void mount_layers(const char* upper, const char* work, const char* merged) const {
    mount_overlay({scratch_ / "lower1", scratch_ / "lower2"}, scratch_ / upper, scratch_ / work,
                  scratch_ / merged);
  }

  fs::path merged(const std::string& name) const { return scratch_ / ("merged/" + name); }

  // Captures the upper layer as a checkpoint does, applies it to new layers as a restore of Still's
  // does, which removes first, or of Podman's, which removes what is gone at last.
  std::vector<std::string> restored(bool removes_first) const {
    const std::string number = removes_first ? "2" : "3";
    const fs::path target = scratch_ / ("merged" + number);
    if (removes_first) copy_tree(open_dir(scratch_ / "upper"), open_dir(scratch_ / "staged"));
    std::vector<Fd> lower;
    lower.push_back(open_dir(scratch_ / "lower1"));
    lower.push_back(open_dir(scratch_ / "lower2"));
    const auto removed = removed_paths(open_dir(scratch_ / "staged"), lower, {});
    std::string tar;
    archive::write_tree_tar(open_dir(scratch_ / "staged"), {.excluded = {}, .upper_layer = true},
                            [&](std::string_view data) { tar += data; });
    mount_layers(("upper" + number).c_str(), ("work" + number).c_str(),
                 ("merged" + number).c_str());
    remove_paths(open_dir(target), removed.replaced);
    if (removes_first) remove_paths(open_dir(target), removed.gone);
    std::string_view rest = tar;
    archive::extract_tree_tar(
        [&](char* buffer, size_t size) {
          const size_t copied = rest.copy(buffer, size);
          rest.remove_prefix(copied);
          return copied;
        },
        open_dir(target), {.allow_devices = true, .allow_trusted_xattrs = true});
    if (!removes_first) remove_paths(open_dir(target), removed.gone);
    return test::describe_tree(target);
  }

  void expect_same() const {
    const auto expected = test::describe_tree(scratch_ / "merged");
    EXPECT_EQ(restored(true), expected);
    EXPECT_EQ(without_times(restored(false)), without_times(expected));
  }

  // Removing changes the times of the directories that something is removed from.
  static std::vector<std::string> without_times(std::vector<std::string> entries) {
    for (std::string& entry : entries)
      entry = std::regex_replace(entry, std::regex(" [0-9]+\\.[0-9]{9}"), "");
    return entries;
  }

  Scratch scratch_;
};

TEST_F(OverlayRoundTrip, OfNoChanges) { expect_same(); }

TEST_F(OverlayRoundTrip, OfANastyTree) {
  test::make_nasty_tree(scratch_ / "merged");
  expect_same();
}

TEST_F(OverlayRoundTrip, OfRemovedAndReplacedEntries) {
  fs::remove_all(merged("etc/deep"));
  fs::remove(merged("etc/passwd"));
  fs::remove_all(merged("tree"));
  fs::create_directories(merged("tree/of/other"));
  write_text(merged("tree/of/other/file"), "new");
  fs::remove(merged("etc/shadow"));
  fs::create_directory(merged("etc/shadow"));
  fs::remove_all(merged("opaque in 1"));
  write_text(merged("opaque in 1"), "a file now");
  write_text(merged("etc/removed in 1"), "and back");
  expect_same();
}

// A merged directory cannot be renamed without redirect_dir.
TEST_F(OverlayRoundTrip, LeavesDirectoriesThatCanBeRenamed) {
  fs::remove_all(merged("tree"));
  fs::create_directory(merged("tree"));
  write_text(merged("tree/file"), "new");
  expect_same();
  fs::rename(scratch_ / "merged2/tree", scratch_ / "merged2/renamed");
}

TEST_F(OverlayRoundTrip, OfRenamedDirectories) {
  fs::copy(merged("tree"), merged("tree2"), fs::copy_options::recursive);
  fs::remove_all(merged("tree"));
  fs::rename(merged("tree2"), merged("tree"));
  fs::rename(merged("etc/passwd"), merged("tree/passwd"));
  fs::create_symlink("../tree", merged("etc/passwd"));
  expect_same();
}

TEST_F(OverlayRoundTrip, OfChangedMetadataOnly) {
  ASSERT_EQ(::chmod(merged("etc/deep").c_str(), 01700), 0);
  ASSERT_EQ(::chown(merged("etc/deep/deeper/file").c_str(), 12, 13), 0);
  ASSERT_EQ(::chmod(merged("").c_str(), 0711), 0);
  ASSERT_EQ(::setxattr(merged("etc/shadow").c_str(), "user.new", "1", 1, 0), 0);
  expect_same();
}

// A container that keeps an overlay of its own inside its root file system.
TEST_F(OverlayRoundTrip, OfLayersInsideTheTree) {
  fs::create_directory(merged("layer"));
  const bool kept = ::setxattr(merged("layer").c_str(), "trusted.overlay.opaque", "y", 1, 0) == 0;
  STILL_REQUIRE(kept, "a kernel that keeps overlays' xattrs inside overlays (6.7)");
  expect_same();
}

class RemovePaths : public testing::Test {
 protected:
  void remove(const std::vector<std::string>& paths) const { remove_paths(open_dir(root_), paths); }

  Scratch scratch_;
  const fs::path root_ = scratch_.make("root");
};

TEST_F(RemovePaths, RemovesFilesDirectoriesAndLinks) {
  make_directories(root_ / "d/e");
  write_text(root_ / "d/e/f", "x");
  write_text(root_ / "d/kept", "x");
  write_text(scratch_ / "outside", "x");
  fs::create_symlink(scratch_ / "outside", root_ / "link");
  remove({"d/e", "link", "absent", "absent/too", "d/kept/no directory"});
  EXPECT_FALSE(fs::exists(root_ / "d/e"));
  EXPECT_FALSE(fs::is_symlink(root_ / "link"));
  EXPECT_TRUE(fs::exists(root_ / "d/kept"));
  EXPECT_TRUE(fs::exists(scratch_ / "outside"));
}

TEST_F(RemovePaths, RefusesPathsThatLeaveTheTree) {
  write_text(scratch_ / "outside", "x");
  fs::create_symlink("..", root_ / "up");
  fs::create_symlink(".", root_ / "here");
  const std::string nul("a\0b", 3);
  for (const std::string& path :
       {std::string("../outside"), std::string("/etc/passwd"), std::string(""), std::string("."),
        std::string(".."), std::string("a/../../outside"), std::string("a//b"), std::string("a/"),
        std::string("./a"), std::string("up/outside"), std::string("here/up/outside"), nul}) {
    EXPECT_EQ(test::kind_thrown_by([&] { remove({path}); }), ErrorKind::kCorrupt) << path;
  }
  EXPECT_TRUE(fs::exists(scratch_ / "outside"));
  EXPECT_TRUE(fs::is_symlink(root_ / "up"));
}

TEST_F(RemovePaths, NamesThePath) {
  EXPECT_THAT(test::message_thrown_by([&] { remove({"ok", "x/../y\n"}); }),
              testing::HasSubstr("x/../y\\n"));
}

TEST_F(RemovePaths, TakesPathsOfAnyLength) {
  std::string path;
  for (int i = 0; i < 30; ++i) path += (i == 0 ? "" : "/") + std::string(200, 'x');
  remove({path});
  test::make_nasty_tree(root_);
  std::string existing;
  for (int i = 0; i < 25; ++i) existing += std::string(200, 'p') + "/";
  const auto before = test::describe_tree(root_).size();
  remove({existing + "at the bottom"});
  EXPECT_EQ(test::describe_tree(root_).size(), before - 1);
}

}  // namespace
}  // namespace still::tree
