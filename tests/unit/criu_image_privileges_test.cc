// What CRIU images give to the tasks restored from them.
#include <gmock/gmock.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cstring>
#include <map>
#include <optional>

#include "criu/image_privileges.h"
#include "criu_image_bytes.h"
#include "oci/spec.h"
#include "os/files.h"
#include "support.h"

namespace still::criu {
namespace {

using test::bytes;
using test::image;
using test::number;
using test::word;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string namespaces(uint32_t first) {
  std::string result;
  for (int field = 5; field <= 9; ++field) result += number(field, first + field);
  return result;
}
std::string inventory() {
  const std::string entry = bytes(3, namespaces(100));
  return word(0x58313116) + word(static_cast<uint32_t>(entry.size())) + entry;
}

// --- a container as it should be
// --------------------------------------------------------------------

struct Core {
  uint64_t permitted = 0x1;  // CAP_CHOWN
  uint64_t bounding = 0x1;
  std::optional<uint32_t> seccomp_mode = SECCOMP_MODE_FILTER;
  uint32_t filter = 0;
  bool first = true;  // of its process
  uint32_t state = 1;
};

std::string core(const Core& of) {
  std::string credentials;
  for (const int half : {0, 32}) credentials += number(10, of.permitted >> half & 0xffffffff);
  for (const int half : {0, 32}) credentials += number(12, of.bounding >> half & 0xffffffff);
  std::string thread = bytes(10, credentials);
  if (of.seccomp_mode) thread += number(11, *of.seccomp_mode) + number(12, of.filter);
  return image(0x55053847,
               {(of.first ? bytes(3, number(1, of.state)) : std::string()) + bytes(5, thread)});
}

std::string mount(uint32_t type, const std::string& place, uint64_t flags = MS_RDONLY,
                  const std::string& root = "/", const std::string& key = {}) {
  return number(1, type) + number(5, flags) + bytes(6, root) + bytes(7, place) +
         (key.empty() ? std::string() : bytes(18, key));
}

std::vector<std::string> usual_mounts() {
  std::vector<std::string> mounts = {mount(17, "/", 0), mount(1, "/proc", 0), mount(2, "/sys"),
                                     mount(5, "/dev", 0), mount(0, "/data", 0, "/srv", "/data")};
  for (const oci::ProtectedPath& path : oci::protected_paths()) {
    const std::string root = path.path.substr(std::string("/proc").size());
    mounts.push_back(path.is_masked ? mount(5, path.path) : mount(1, path.path, MS_RDONLY, root));
  }
  return mounts;
}
std::string mounts_image(const std::vector<std::string>& mounts) {
  return image(0x55563928, mounts);
}

std::string program(const std::vector<sock_filter>& instructions) {
  std::string result(instructions.size() * sizeof(sock_filter), '\0');
  std::memcpy(result.data(), instructions.data(), result.size());
  return result;
}
const std::string kRefuseAll = program({BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1)});
const std::string kAllowAll = program({BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)});

std::string filters(const std::vector<std::string>& entries) {
  std::string message;
  for (const std::string& entry : entries) message += bytes(1, entry);
  return image(0x64413049, {message});
}

class ImagePrivilegesTest : public testing::Test {
 protected:
  ImagePrivilegesTest() {
    files_["inventory.img"] = inventory();
    files_["pstree.img"] = image(0x50273030, {number(1, 1) + number(5, 1) + number(5, 2)});
    files_["core-1.img"] = core({});
    files_["ids-1.img"] = image(0x54432030, {namespaces(200)});
    files_["mountpoints-9.img"] = mounts_image(usual_mounts());
    files_["seccomp.img"] = filters({bytes(1, kRefuseAll)});
  }

  ImagePrivileges read() const {
    ImagePrivileges privileges;
    for (const auto& [name, content] : files_) {
      EXPECT_TRUE(ImagePrivileges::reads(name)) << name;
      privileges.add(name, content);
    }
    return privileges;
  }

  std::vector<std::string> beyond(const ImageLimits& limits = {.capabilities = {"CAP_CHOWN"}}) {
    return read().beyond(limits);
  }

  std::map<std::string, std::string> files_;
};

TEST_F(ImagePrivilegesTest, AUsualContainerHasNothingMore) { EXPECT_THAT(beyond(), IsEmpty()); }

TEST_F(ImagePrivilegesTest, ReadsOnlyWhatSaysSo) {
  for (const char* name : {"pages-1.img", "core-.im", "core-1", "xcore-1.img", "fdinfo-2.img"}) {
    EXPECT_FALSE(ImagePrivileges::reads(name)) << name;
  }
}

TEST_F(ImagePrivilegesTest, EverySetOfCapabilitiesCounts) {
  files_["core-1.img"] = core({.permitted = uint64_t{1} << 21});
  EXPECT_THAT(beyond(), ElementsAre("the capability CAP_SYS_ADMIN"));
  files_["core-1.img"] = core({.bounding = uint64_t{1} << 40 | 1});
  EXPECT_THAT(beyond(), ElementsAre("the capability CAP_CHECKPOINT_RESTORE"));
  files_["core-1.img"] = core({.bounding = uint64_t{1} << 63});
  EXPECT_THAT(beyond(), ElementsAre("the capability capability 63"));
  EXPECT_THAT(beyond({.capabilities = {}}), Contains("the capability CAP_CHOWN"));
}

TEST_F(ImagePrivilegesTest, AThreadWithoutCredentialsWouldKeepThoseOfCriu) {
  files_["core-1.img"] = image(0x55053847, {bytes(3, number(1, 1))});
  EXPECT_THAT(test::message_thrown_by([&] { read(); }), HasSubstr("credentials"));
  files_["core-1.img"] = image(0x55053847, {bytes(3, number(1, 6))});  // a zombie
  EXPECT_THAT(beyond(), IsEmpty());
}

TEST_F(ImagePrivilegesTest, AFilterMustBeThereAndRefuse) {
  files_["core-1.img"] = core({.seccomp_mode = std::nullopt});
  EXPECT_THAT(beyond(), ElementsAre("no seccomp filter"));
  EXPECT_THAT(beyond({.capabilities = {"CAP_CHOWN"}, .seccomp = false}), IsEmpty());
  files_["core-1.img"] = core({.seccomp_mode = SECCOMP_MODE_DISABLED});
  EXPECT_THAT(beyond(), ElementsAre("no seccomp filter"));
  files_["core-1.img"] = core({});
  files_["seccomp.img"] = filters({bytes(1, kAllowAll)});
  EXPECT_THAT(beyond(), ElementsAre(HasSubstr("a seccomp filter that allows ")));
  // Filters add up.
  files_["seccomp.img"] = filters({bytes(1, kAllowAll) + number(2, 1), bytes(1, kRefuseAll)});
  EXPECT_THAT(beyond(), IsEmpty());
}

TEST_F(ImagePrivilegesTest, FiltersThatNoKernelWouldLoadAreRefused) {
  for (const auto& bad :
       {std::string(), std::string("1234567"), program({BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)}),
        program({BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), BPF_STMT(BPF_RET | BPF_A, 0)}),
        program({BPF_JUMP(BPF_JMP | BPF_JA, 7, 0, 0), BPF_STMT(BPF_RET | BPF_A, 0)}),
        program({BPF_STMT(BPF_ST, 16), BPF_STMT(BPF_RET | BPF_A, 0)}),
        program({BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), BPF_STMT(BPF_RET | BPF_A, 0)})}) {
    files_["seccomp.img"] = filters({bytes(1, bad)});
    EXPECT_EQ(test::kind_thrown_by([&] { beyond(); }), ErrorKind::kCorrupt);
  }
  files_["seccomp.img"] = filters({});
  EXPECT_EQ(test::kind_thrown_by([&] { beyond(); }), ErrorKind::kCorrupt);
  // A chain in a circle ends.
  files_["seccomp.img"] = filters({bytes(1, kAllowAll) + number(2, 0)});
  EXPECT_THAT(beyond(), ElementsAre(HasSubstr("a seccomp filter that allows ")));
}

TEST_F(ImagePrivilegesTest, ThreadsMayHaveTheFilterOfTheFirst) {
  files_["core-2.img"] = core({.seccomp_mode = std::nullopt, .first = false});
  EXPECT_THAT(beyond(), ElementsAre("no seccomp filter"));
  files_["seccomp.img"] = filters({bytes(1, kRefuseAll) + number(3, SECCOMP_FILTER_FLAG_TSYNC)});
  EXPECT_THAT(beyond(), IsEmpty());
  files_["pstree.img"] = image(0x50273030, {number(1, 1) + number(5, 1)});
  EXPECT_THAT(beyond(), ElementsAre("no seccomp filter"));
}

TEST_F(ImagePrivilegesTest, NamespacesOfTheHostAreNamed) {
  std::string ids;
  for (int field = 5; field <= 8; ++field) ids += number(field, 200 + field);
  files_["ids-1.img"] = image(0x54432030, {ids + number(9, 109)});
  EXPECT_THAT(beyond(), ElementsAre("the host's mount namespace"));
  files_["ids-1.img"] = image(0x54432030, {ids});  // not said: the host's
  EXPECT_THAT(beyond(), ElementsAre("the host's mount namespace"));
  files_["ids-1.img"] = image(0x54432030, {namespaces(200) + number(6, 106)});
  EXPECT_THAT(beyond(), ElementsAre("the host's network namespace"));
  EXPECT_THAT(beyond({.capabilities = {"CAP_CHOWN"}, .host_network = true}), IsEmpty());
  files_.erase("ids-1.img");
  EXPECT_EQ(test::kind_thrown_by([&] { beyond(); }), ErrorKind::kCorrupt);
}

TEST_F(ImagePrivilegesTest, OnlyTheMountsOfTheSpecAreUsual) {
  const auto with = [&](const std::string& more) {
    auto mounts = usual_mounts();
    mounts.push_back(more);
    files_["mountpoints-9.img"] = mounts_image(mounts);
    return beyond();
  };
  const auto named = [](const std::string& place) {
    return ElementsAre("a mount at " + place + " that it was not configured with");
  };
  EXPECT_THAT(with(mount(16, "/mnt")), named("/mnt"));                       // any file system
  EXPECT_THAT(with(mount(3, "/mnt")), named("/mnt"));                        // devtmpfs
  EXPECT_THAT(with(mount(1, "/mnt")), named("/mnt"));                        // proc, unmasked
  EXPECT_THAT(with(mount(1, "/proc/x", MS_RDONLY, "/")), named("/proc/x"));  // the same
  EXPECT_THAT(with(mount(1, "/proc/tty", 0, "/tty")), named("/proc/tty"));
  EXPECT_THAT(with(mount(2, "/mnt")), named("/mnt"));
  EXPECT_THAT(with(mount(23, "/sys/fs/cgroup", 0)), named("/sys/fs/cgroup"));
  EXPECT_THAT(with(mount(23, "/sys/fs/cgroup")), IsEmpty());
  EXPECT_THAT(with(mount(1, "/proc", 0)), named("/proc"));  // over the first
  EXPECT_THAT(with(mount(0, "/mnt", 0, "/etc", "CRIU:AUTOGENERATED")), named("/mnt"));
  EXPECT_THAT(with(mount(5, "/mnt", 0, "/", "CRIU:AUTOGENERATED")), named("/mnt"));
}

TEST_F(ImagePrivilegesTest, WhatIsHiddenOfTheKernelStaysHidden) {
  const auto without = [&](const std::string& place, const std::vector<std::string>& more = {}) {
    auto mounts = usual_mounts();
    std::erase_if(mounts, [&](const std::string& entry) { return entry.contains(place); });
    mounts.insert(mounts.end(), more.begin(), more.end());
    files_["mountpoints-9.img"] = mounts_image(mounts);
    return beyond();
  };
  EXPECT_THAT(without("/proc/sys"), Contains("a way to write to /proc/sys"));
  EXPECT_THAT(without("/proc/sys", {mount(1, "/proc/sys", 0, "/sys")}),
              Contains("a way to write to /proc/sys"));
  for (const oci::ProtectedPath& path : oci::protected_paths()) {
    if (!path.is_masked || !path_exists(path.path)) continue;
    EXPECT_THAT(without(path.path), Contains("a view of " + path.path));
  }
}

TEST_F(ImagePrivilegesTest, FilesOfTheHostAreRefused) {
  const auto open = [&](uint32_t type, const std::string& file) {
    files_["files.img"] = image(0x56303138, {number(1, type) + file});
    read();
  };
  const auto regular = [](const std::string& name) { return bytes(3, bytes(6, name)); };
  open(1, regular("/etc/..x"));
  for (const char* name : {"", "etc/shadow", "/../etc/shadow", "/a/..", ".."}) {
    EXPECT_EQ(test::kind_thrown_by([&] { open(1, regular(name)); }), ErrorKind::kCorrupt) << name;
  }
  EXPECT_EQ(test::kind_thrown_by([&] { open(1, bytes(3, bytes(6, "/x") + number(9, 1))); }),
            ErrorKind::kCorrupt);
  EXPECT_EQ(test::kind_thrown_by([&] { open(15, ""); }), ErrorKind::kCorrupt);
  EXPECT_EQ(test::kind_thrown_by([&] { open(16, ""); }), ErrorKind::kCorrupt);
  files_["files.img"] = image(0x56303138, {});
  EXPECT_EQ(test::kind_thrown_by([&] { read(); }), ErrorKind::kCorrupt);
}

TEST_F(ImagePrivilegesTest, AGhostFileIsNoDevice) {
  const auto make = [&](const std::string& mode) {
    const std::string entry = number(1, 0) + number(2, 0) + mode + number(6, 0x700);
    files_["ghost-file-1a.img"] = image(0x52583605, {entry}) + "content";
    read();
  };
  for (const mode_t type : {S_IFREG, S_IFDIR, S_IFIFO, S_IFSOCK, S_IFLNK}) {
    EXPECT_NO_THROW(make(number(3, type | 0600))) << type;
  }
  for (const mode_t type : {S_IFBLK, S_IFCHR, 0, S_IFMT, 030000}) {
    EXPECT_EQ(test::kind_thrown_by([&] { make(number(3, type | 0600)); }), ErrorKind::kCorrupt)
        << type;
  }
  EXPECT_EQ(test::kind_thrown_by([&] { make(""); }), ErrorKind::kCorrupt);
  // The last of several counts, for CRIU too.
  EXPECT_EQ(test::kind_thrown_by([&] { make(number(3, S_IFREG) + number(3, S_IFBLK)); }),
            ErrorKind::kCorrupt);
}

TEST_F(ImagePrivilegesTest, OfAGhostFileTheHeadIsEnough) {
  EXPECT_TRUE(ImagePrivileges::reads_only_head("ghost-file-1.img"));
  for (const auto& [name, content] : files_) EXPECT_FALSE(ImagePrivileges::reads_only_head(name));
  const std::string cut_off = image(0x52583605, {number(3, S_IFREG) + bytes(90, "long")});
  files_["ghost-file-1.img"] = cut_off.substr(0, cut_off.size() - 1);
  EXPECT_EQ(test::kind_thrown_by([&] { read(); }), ErrorKind::kCorrupt);
}

TEST_F(ImagePrivilegesTest, WhatIsNoImageIsRefused) {
  for (auto& [name, content] : files_) {
    const std::string good = content;
    for (const std::string& bad :
         {std::string(), std::string("x"), good.substr(0, good.size() - 1), good + "x",
          good.substr(0, 8) + word(0xffffffff) + "x", std::string(good.size(), '\xff')}) {
      content = bad;
      EXPECT_EQ(test::kind_thrown_by([&] { beyond(); }), ErrorKind::kCorrupt) << name;
    }
    content = good;
  }
}

}  // namespace
}  // namespace still::criu
