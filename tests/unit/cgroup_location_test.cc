// Finding a process's cgroup on look-alikes of machines.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup/location.h"
#include "support.h"

namespace still::cgroup {
namespace {

using test::kind_thrown_by;
using testing::ElementsAre;

constexpr const char* kV2Mounts =
    "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    "30 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
constexpr const char* kV1Mounts =
    "30 22 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"
    "31 30 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
    "32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "33 30 0:29 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n";
constexpr const char* kUnifiedMount =
    "34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

void expect_at(const std::optional<Location>& found, Version version, const std::string& path,
               const std::string& directory) {
  ASSERT_TRUE(found);
  EXPECT_EQ(found->version, version);
  EXPECT_EQ(found->path, path);
  EXPECT_EQ(found->directory, directory);
}

TEST(CgroupLocation, OnV2IsTheOnlyHierarchy) {
  expect_at(find_freezer_cgroup({"0::/still/abc\n", kV2Mounts}), Version::kV2, "/still/abc",
            "/sys/fs/cgroup/still/abc");
}

TEST(CgroupLocation, OnV1IsTheFreezerHierarchy) {
  expect_at(find_freezer_cgroup(
                {"4:freezer:/still/abc\n3:cpu,cpuacct:/other\n1:name=systemd:/x\n", kV1Mounts}),
            Version::kV1, "/still/abc", "/sys/fs/cgroup/freezer/still/abc");
}

TEST(CgroupLocation, OnHybridMachinesV1WinsWhereTheProcessIsBelowItsRoot) {
  const std::string mounts = std::string(kV1Mounts) + kUnifiedMount;
  expect_at(find_freezer_cgroup({"4:freezer:/still/abc\n0::/user\n", mounts}), Version::kV1,
            "/still/abc", "/sys/fs/cgroup/freezer/still/abc");
  expect_at(find_freezer_cgroup({"4:freezer:/\n0::/user\n", mounts}), Version::kV2, "/user",
            "/sys/fs/cgroup/unified/user");
}

TEST(CgroupLocation, AFreezerHierarchyThatIsNotMountedHereDoesNotCount) {
  expect_at(find_freezer_cgroup({"4:freezer:/elsewhere\n0::/still/abc\n", kV2Mounts}), Version::kV2,
            "/still/abc", "/sys/fs/cgroup/still/abc");
  EXPECT_FALSE(find_freezer_cgroup({"4:freezer:/elsewhere\n0::/still/abc\n", ""}));
}

TEST(CgroupLocation, RootCgroupsCannotBeFrozen) {
  EXPECT_FALSE(find_freezer_cgroup({"0::/\n", kV2Mounts}));
  EXPECT_FALSE(
      find_freezer_cgroup({"4:freezer:/\n0::/\n", std::string(kV1Mounts) + kUnifiedMount}));
}

TEST(CgroupLocation, NestedCgroupsKeepTheirWholePath) {
  expect_at(find_freezer_cgroup({"0::/still/abc/init.scope/deep\n", kV2Mounts}), Version::kV2,
            "/still/abc/init.scope/deep", "/sys/fs/cgroup/still/abc/init.scope/deep");
}

TEST(CgroupLocation, AMountCanShowAPartOfTheHierarchy) {
  const std::string mounts = "30 22 0:26 /outer /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
  expect_at(find_freezer_cgroup({"0::/outer/still/abc\n", mounts}), Version::kV2,
            "/outer/still/abc", "/sys/fs/cgroup/still/abc");
  expect_at(find_freezer_cgroup({"0::/outer\n", mounts}), Version::kV2, "/outer", "/sys/fs/cgroup");
  EXPECT_FALSE(find_freezer_cgroup({"0::/outermost/abc\n", mounts}));
  EXPECT_FALSE(find_freezer_cgroup({"0::/other\n", mounts}));
}

TEST(CgroupLocation, AMountFromAboveTheNamespaceShowsItsWholeTree) {
  const std::string mounts = "30 22 0:26 /.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
  expect_at(find_freezer_cgroup({"0::/../neighbour\n", mounts}), Version::kV2, "/../neighbour",
            "/sys/fs/cgroup/neighbour");
}

TEST(CgroupLocation, AProcessOutsideOurNamespaceIsNotBelowOurMount) {
  EXPECT_FALSE(find_freezer_cgroup({"0::/../neighbour\n", kV2Mounts}));
}

TEST(CgroupLocation, TheLastMountOnADirectoryCounts) {
  const std::string mounts =
      std::string(kV2Mounts) + "40 30 0:26 /still /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
  expect_at(find_freezer_cgroup({"0::/still/abc\n", mounts}), Version::kV2, "/still/abc",
            "/sys/fs/cgroup/abc");
}

TEST(CgroupLocation, TheMountsOfARestoreThatIsGoingOnDoNotCount) {
  const std::string v2 =
      std::string(kV2Mounts) + "40 22 0:26 / /r/.criu.cgyard.x/unified rw - cgroup2 none rw\n";
  expect_at(find_freezer_cgroup({"0::/still/abc\n", v2}), Version::kV2, "/still/abc",
            "/sys/fs/cgroup/still/abc");
  const std::string v1 = std::string(kV1Mounts) +
                         "40 22 0:29 / /r/.criu.cgyard.x/freezer rw - cgroup none rw,freezer\n";
  expect_at(find_freezer_cgroup({"3:freezer:/still/abc\n", v1}), Version::kV1, "/still/abc",
            "/sys/fs/cgroup/freezer/still/abc");
}

TEST(CgroupLocation, NamesMayHoldColonsAndSpaces) {
  expect_at(find_freezer_cgroup({"0::/a:b/c d\n", kV2Mounts}), Version::kV2, "/a:b/c d",
            "/sys/fs/cgroup/a:b/c d");
}

TEST(CgroupLocation, TheFreezerMayShareItsHierarchy) {
  const std::string mounts = "33 30 0:29 / /cg rw - cgroup cgroup rw,freezer,devices\n";
  expect_at(find_freezer_cgroup({"4:devices,freezer:/abc\n", mounts}), Version::kV1, "/abc",
            "/cg/abc");
}

TEST(CgroupLocation, OtherTextIsRefused) {
  for (const char* text : {"nonsense\n", "0:\n", "0::\n", "0::relative\n", "0:only\n"}) {
    EXPECT_EQ(kind_thrown_by([&] { find_freezer_cgroup({text, kV2Mounts}); }), ErrorKind::kCorrupt)
        << text;
  }
}

TEST(CgroupLocation, AProcessThatHasEndedIsNotFound) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(kind_thrown_by([&] { find_freezer_cgroup(child); }), ErrorKind::kNotFound);
}

TEST(CgroupLocation, MountedHierarchiesAreThoseOfTheMounts) {
  const char* cgroups = "4:freezer:/a\n3:cpu,cpuacct:/b\n2:memory:/c\n1:name=systemd:/d\n0::/e\n";
  EXPECT_THAT(mounted_hierarchies({cgroups, kV1Mounts}),
              ElementsAre("freezer", "cpu,cpuacct", "name=systemd"));
  EXPECT_THAT(mounted_hierarchies({cgroups, kV2Mounts}), ElementsAre(""));
}

}  // namespace
}  // namespace still::cgroup
