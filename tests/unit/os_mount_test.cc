#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "base/text.h"
#include "os/files.h"
#include "os/mount.h"
#include "os/walk.h"
#include "support.h"

namespace still {
namespace {

using test::kind_thrown_by;
using test::message_thrown_by;
using test::Scratch;
using test::write_text;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Mountinfo, LinesAreTakenApart) {
  const auto mounts = parse_mountinfo(
      "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"
      "37 36 0:5 / /proc rw shared:1 master:2 propagate_from:3 unbindable - proc proc rw\n"
      "38 36 0:6 / / rw - tmpfs tmpfs ro\n");
  ASSERT_EQ(mounts.size(), 3U);
  EXPECT_EQ(mounts[0].id, 36);
  EXPECT_EQ(mounts[0].device, "98:0");
  EXPECT_EQ(mounts[0].root, "/mnt1");
  EXPECT_EQ(mounts[0].target, "/mnt2");
  EXPECT_EQ(mounts[0].type, "ext3");
  EXPECT_EQ(mounts[0].source, "/dev/root");
  EXPECT_THAT(mounts[0].super_options, ElementsAre("rw", "errors=continue"));
  EXPECT_EQ(mounts[1].type, "proc");
  EXPECT_EQ(mounts[2].target, "/");
}

TEST(Mountinfo, EscapesAreDecoded) {
  const auto mounts =
      parse_mountinfo(R"(1 2 0:1 / /a\040b\134c\012d\011e rw - tmpfs so\040urce rw)");
  EXPECT_EQ(mounts.at(0).target, "/a b\\c\nd\te");
  EXPECT_EQ(mounts.at(0).source, "so urce");
}

TEST(Mountinfo, OtherTextIsRefusedWithItsLine) {
  EXPECT_THAT(parse_mountinfo(""), IsEmpty());
  for (const char* text : {"nonsense", "1 2 0:1 / /a rw tmpfs tmpfs rw", "x 2 0:1 / /a rw - t s o",
                           "1 2 0:1 / /a rw - tmpfs", "1 2 - tmpfs tmpfs rw"}) {
    EXPECT_EQ(kind_thrown_by([&] { parse_mountinfo(text); }), ErrorKind::kCorrupt) << text;
    EXPECT_THAT(message_thrown_by([&] { parse_mountinfo(text); }), HasSubstr(text));
  }
}

TEST(Mount, OwnMountsAreRead) {
  EXPECT_TRUE(is_mount_point("/proc"));
  EXPECT_FALSE(is_mount_point("/proc/self"));
}

TEST(Mount, StackedMountsAreAllRemoved) {
  STILL_REQUIRE_ROOT();
  const Scratch scratch;
  const auto target = scratch.make("target with space");
  for (int i = 0; i < 3; ++i) mount("tmpfs", target, "tmpfs", 0, "size=64k");
  EXPECT_TRUE(is_mount_point(target));
  unmount_all(target);
  EXPECT_FALSE(is_mount_point(target));
  unmount_all(target);               // nothing mounted
  unmount_all(scratch / "nowhere");  // nothing at all
}

TEST(Mount, BusyMountsAreDetached) {
  STILL_REQUIRE_ROOT();
  const Scratch scratch;
  const auto target = scratch.make("target");
  mount("tmpfs", target, "tmpfs", 0, "size=64k");
  write_text(target / "file", "held");
  const Fd held = open_file(target / "file", 0);
  unmount_all(target);
  EXPECT_FALSE(is_mount_point(target));
  EXPECT_EQ(read_all(held), "held");
}

TEST(Mount, AFailureNamesWhatAndWhere) {
  EXPECT_THAT(message_thrown_by([] { mount("x", "/no/where", "tmpfs", 0, ""); }),
              HasSubstr("tmpfs x on /no/where"));
}

class Overlay : public testing::Test {
 protected:
  void SetUp() override {
    STILL_REQUIRE_ROOT();
    // An overlay cannot lie on another overlay, which the scratch directory may be on.
    mount("tmpfs", base_, "tmpfs", 0, "size=4m");
    for (const char* name : {"upper", "work", "merged"}) make_directory(base_ / name);
  }
  void TearDown() override {
    if (::geteuid() != 0) return;
    unmount_all(base_ / "merged");
    unmount_all(base_);
  }
  std::filesystem::path layer(const std::string& name) const {
    make_directory(base_ / name);
    return base_ / name;
  }

  const Scratch scratch_;
  const std::filesystem::path base_ = scratch_.make("base");
};

TEST_F(Overlay, ShowsTheTopLayerFirst) {
  const auto top = layer("top");
  const auto bottom = layer("bottom");
  write_text(bottom / "both", "bottom");
  write_text(top / "both", "top");
  write_text(bottom / "one", "bottom");
  mount_overlay({top, bottom}, base_ / "upper", base_ / "work", base_ / "merged");
  EXPECT_EQ(read_file(base_ / "merged/both"), "top");
  EXPECT_EQ(read_file(base_ / "merged/one"), "bottom");
  write_text(base_ / "merged/one", "changed");
  EXPECT_EQ(read_file(base_ / "upper/one"), "changed");
  EXPECT_EQ(read_file(bottom / "one"), "bottom");
}

TEST_F(Overlay, TakesNamesWithColonsCommasAndSpaces) {
  const auto odd = layer("a:b,c d\\e");
  write_text(odd / "file", "odd");
  mount_overlay({odd}, base_ / "upper", base_ / "work", base_ / "merged");
  EXPECT_EQ(read_file(base_ / "merged/file"), "odd");
}

TEST_F(Overlay, TakesManyLayers) {
  std::vector<std::filesystem::path> layers;
  for (int i = 0; i < 120; ++i) {
    layers.push_back(layer(std::string(50, 'l') + std::to_string(i)));
    write_text(layers.back() / std::to_string(i), "");
  }
  mount_overlay(layers, base_ / "upper", base_ / "work", base_ / "merged");
  EXPECT_TRUE(path_exists(base_ / "merged/0"));
  EXPECT_TRUE(path_exists(base_ / "merged/119"));
}

TEST_F(Overlay, AFailureNamesTheTarget) {
  EXPECT_THAT(message_thrown_by([&] {
                mount_overlay({base_ / "none"}, base_ / "upper", base_ / "work", base_ / "merged");
              }),
              HasSubstr("merged"));
}

TEST(AccessTimes, AreLeftAlone) {
  STILL_REQUIRE_ROOT();
  const Scratch scratch;
  const auto tree = scratch.make("tree");
  std::filesystem::create_directory(tree / "directory");
  std::filesystem::create_symlink("directory", tree / "link");
  constexpr std::array<timespec, 2> kLongAgo = {{{.tv_sec = 1, .tv_nsec = 0}, {.tv_sec = 2}}};
  for (const char* name : {"directory", "link", "."}) {
    ASSERT_EQ(::utimensat(AT_FDCWD, (tree / name).c_str(), kLongAgo.data(), AT_SYMLINK_NOFOLLOW),
              0);
  }
  const auto read_all_in = [](const Fd& directory) {
    list_names(directory);
    list_names(open_at(directory, "directory", O_RDONLY | O_DIRECTORY));
    read_link_at(directory, "link");
  };
  const auto accessed = [&](const char* name) {
    struct stat status{};
    EXPECT_EQ(::lstat((tree / name).c_str(), &status), 0);
    return status.st_atim.tv_sec;
  };
  read_all_in(open_without_access_times(tree));
  for (const char* name : {"directory", "link", "."}) EXPECT_EQ(accessed(name), 1) << name;
  read_all_in(open_file(tree, O_RDONLY | O_DIRECTORY));
  EXPECT_GT(accessed("directory"), 1);
}

TEST(AccessTimes, OfWhatIsMountedBelowAsWell) {
  STILL_REQUIRE_ROOT();
  const Scratch scratch;
  const auto tree = scratch.make("tree");
  std::filesystem::create_directory(tree / "inner");
  mount("tmpfs", tree / "inner", "tmpfs", 0, "");
  write_text(tree / "inner/file", "");
  const Fd quiet = open_without_access_times(tree);
  EXPECT_TRUE(stat_at(quiet, "inner/file").has_value());
  unmount_all(tree / "inner");
}

}  // namespace
}  // namespace still
