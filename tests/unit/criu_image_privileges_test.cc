// What CRIU images give to the tasks restored from them.
#include <gmock/gmock.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstring>
#include <ctime>
#include <map>
#include <optional>

#include "criu/image_files.h"
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
using testing::AnyOf;
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
  const std::string entry = bytes(3, namespaces(100)) + number(5, 1);
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
  std::string more_credentials{};
  std::string more_of_thread{};
  std::string more_of_process = number(9, 2);  // its set of cgroups
};

std::string core(const Core& of) {
  std::string credentials;
  for (const int half : {0, 32}) credentials += number(10, of.permitted >> half & 0xffffffff);
  for (const int half : {0, 32}) credentials += number(12, of.bounding >> half & 0xffffffff);
  credentials += of.more_credentials;
  std::string thread = bytes(10, credentials) + of.more_of_thread;
  if (of.seccomp_mode) thread += number(11, *of.seccomp_mode) + number(12, of.filter);
  return image(0x55053847,
               {(of.first ? bytes(3, number(1, of.state) + of.more_of_process) : std::string()) +
                bytes(5, thread)});
}

std::string mount(uint32_t type, const std::string& place, uint64_t flags = MS_RDONLY,
                  const std::string& root = "/", const std::string& key = {},
                  const std::string& options = {}) {
  return number(1, type) + number(2, 7) + number(3, 8) + number(5, flags) + bytes(6, root) +
         bytes(7, place) + bytes(9, options) + (key.empty() ? std::string() : bytes(18, key));
}

std::vector<std::string> usual_mounts() {
  std::vector<std::string> mounts = {mount(17, "/", 0), mount(1, "/proc", 0), mount(2, "/sys"),
                                     mount(5, "/dev", 0, "/", {}, "size=65536k,mode=755"),
                                     mount(0, "/data", 0, "/srv", "/data")};
  for (const oci::ProtectedPath& path : oci::protected_paths()) {
    const std::string root = path.path.substr(std::string("/proc").size());
    mounts.push_back(path.is_masked ? mount(5, path.path, MS_RDONLY, "/", {}, "size=0k")
                                    : mount(1, path.path, MS_RDONLY, root));
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
    files_["cgroup.img"] = image(0x59383330, {bytes(1, number(1, 2))});
    files_["netns-10.img"] = image(0x55933752, {bytes(8, "extRootNetNS")});
  }

  ImagePrivileges read() const {
    ImagePrivileges privileges;
    for (const auto& [name, content] : files_) {
      EXPECT_THAT(image_file_kind(name).use, AnyOf(ImageUse::kChecked, ImageUse::kHead)) << name;
      privileges.add(name, content);
    }
    for (const auto& [name, size_bytes] : tmpfs_) {
      privileges.add_tmpfs(name, size_bytes, links_);
    }
    return privileges;
  }

  static ImageLimits usual() {
    return {.capabilities = {"CAP_CHOWN"}, .tmpfs = {{"/dev", uint64_t{64} << 20}}};
  }
  std::vector<std::string> beyond(const ImageLimits& limits = usual()) {
    return read().beyond(limits);
  }

  std::map<std::string, std::string> files_;
  std::map<std::string, uint64_t> tmpfs_;
  std::vector<std::string> links_ = {"way/out"};  // in each of them
};

TEST_F(ImagePrivilegesTest, AUsualContainerHasNothingMore) { EXPECT_THAT(beyond(), IsEmpty()); }

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
  EXPECT_THAT(beyond([] {
                auto limits = usual();
                limits.seccomp = false;
                return limits;
              }()),
              IsEmpty());
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
  EXPECT_THAT(beyond([] {
                auto limits = usual();
                limits.host_network = true;
                return limits;
              }()),
              IsEmpty());
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
  const std::string cut_off = image(0x52583605, {number(3, S_IFREG) + bytes(90, "long")});
  files_["ghost-file-1.img"] = cut_off.substr(0, cut_off.size() - 1);
  EXPECT_EQ(test::kind_thrown_by([&] { read(); }), ErrorKind::kCorrupt);
}

TEST_F(ImagePrivilegesTest, EveryTaskIsInACgroupOfTheContainer) {
  const auto refuses = [&] {
    return test::kind_thrown_by([&] { beyond(); }) == ErrorKind::kCorrupt;
  };
  for (const auto& set : {std::string(), number(9, 0), number(9, 1), number(9, 3)}) {
    files_["core-1.img"] = core({.more_of_process = set});
    EXPECT_TRUE(refuses()) << set.size();
    auto without = usual();
    without.cgroup = false;
    EXPECT_THAT(beyond(without), IsEmpty());
  }
  // A child without one has its parent's, a thread its process's.
  files_["core-1.img"] = core({});
  files_["pstree.img"] = image(0x50273030, {number(1, 1) + number(5, 1) + number(5, 2),
                                            number(1, 3) + number(2, 1) + number(5, 3)});
  files_["core-2.img"] = core({.first = false});
  files_["core-3.img"] = core({.more_of_process = {}});
  files_["ids-3.img"] = files_["ids-1.img"];
  EXPECT_THAT(beyond(), IsEmpty());
  files_["core-2.img"] = core({.first = false, .more_of_thread = number(16, 1)});
  EXPECT_TRUE(refuses());
  files_.erase("core-2.img");
  files_.erase("cgroup.img");
  EXPECT_TRUE(refuses());
}

TEST_F(ImagePrivilegesTest, PrioritiesBeyondTheCallersNeedACapability) {
  const auto limits = [](int resource, uint64_t hard) {
    std::string list;
    for (int i = 0; i <= resource; ++i)
      list += bytes(1, number(1, 0) + number(2, i == resource ? hard : 0));
    return number(9, 2) + bytes(8, list);
  };
  const auto expect = [&](const Core& of, const std::string& what, const char* capability) {
    files_["core-1.img"] = core(of);
    EXPECT_THAT(beyond(), ElementsAre(what));
    auto granted = usual();
    granted.capabilities.emplace_back(capability);
    EXPECT_THAT(beyond(granted), IsEmpty());
  };
  const auto zigzag = [](int value) { return static_cast<uint64_t>(-2 * value - 1); };
  expect({.more_of_thread = number(3, zigzag(-5))}, "the nice value -5", "CAP_SYS_NICE");
  for (const int policy : {SCHED_FIFO, SCHED_RR, SCHED_DEADLINE, 99}) {
    expect({.more_of_thread = number(4, policy)}, "a real-time priority", "CAP_SYS_NICE");
  }
  expect({.more_of_process = limits(RLIMIT_RTPRIO, 1)}, "a limit for real-time priorities",
         "CAP_SYS_NICE");
  expect({.more_of_process = limits(RLIMIT_NICE, 21)}, "a limit for nice values", "CAP_SYS_NICE");
  expect({.more_of_process = number(9, 2) + number(14, static_cast<uint64_t>(-1000))},
         "the OOM score adjustment -1000", "CAP_SYS_RESOURCE");
  expect({.more_of_process = number(9, 2) + bytes(7, bytes(4, number(2, CLOCK_BOOTTIME_ALARM)))},
         "a timer that wakes the machine", "CAP_WAKE_ALARM");
  files_["core-1.img"] = core({.more_of_thread = number(3, 38) + number(4, SCHED_IDLE),
                               .more_of_process = limits(RLIMIT_NOFILE, 1 << 20)});
  EXPECT_THAT(beyond(), IsEmpty());
  // Those that start containers have as much.
  files_["core-1.img"] = core({.more_of_thread = number(3, zigzag(-5))});
  auto own = usual();
  own.scheduling.nice = -5;
  EXPECT_THAT(beyond(own), IsEmpty());
}

TEST_F(ImagePrivilegesTest, LabelsAndNewPrivilegesAreNamed) {
  files_["core-1.img"] = core({.more_credentials = bytes(15, "unconfined")});
  EXPECT_THAT(beyond(), IsEmpty());
  files_["core-1.img"] = core({.more_credentials = bytes(15, "spc_t")});
  EXPECT_THAT(beyond(), ElementsAre("the security label spc_t"));
  files_["core-1.img"] = core({.more_credentials = number(18, 1)});
  auto strict = usual();
  strict.no_new_privileges = true;
  EXPECT_THAT(beyond(strict), IsEmpty());
  files_["core-1.img"] = core({});
  EXPECT_THAT(beyond(strict), ElementsAre("new privileges"));
}

TEST_F(ImagePrivilegesTest, FilesThatNeedACapability) {
  const auto expect = [&](const std::string& file, const std::string& what,
                          const char* capability) {
    files_["files.img"] = image(0x56303138, {file});
    EXPECT_THAT(beyond(), ElementsAre(what));
    auto granted = usual();
    granted.capabilities.emplace_back(capability);
    EXPECT_THAT(beyond(granted), IsEmpty());
  };
  expect(number(1, 4) + bytes(4, number(4, SOCK_RAW)), "a raw socket", "CAP_NET_RAW");
  expect(number(1, 10), "a packet socket", "CAP_NET_RAW");
  expect(number(1, 13) + bytes(7, number(3, NETLINK_AUDIT) + number(8, 1)),
         "a socket that listens to the kernel", "CAP_NET_ADMIN");
  expect(number(1, 17) + bytes(12, number(4, CLOCK_REALTIME_ALARM)),
         "a timer that wakes the machine", "CAP_WAKE_ALARM");
  expect(number(1, 8) + bytes(13, bytes(5, bytes(7, ""))), "a watch of a file without a name",
         "CAP_DAC_READ_SEARCH");
  expect(number(1, 12), "a watch of whole file systems (fanotify)", "CAP_SYS_ADMIN");
  expect(number(1, 19), "a map of the kernel's BPF", "CAP_SYS_ADMIN");
  files_["files.img"] =
      image(0x56303138, {number(1, 8) + bytes(13, bytes(5, bytes(7, bytes(4, "data/x")))),
                         number(1, 4) + bytes(4, number(4, SOCK_STREAM)),
                         number(1, 13) + bytes(7, number(3, NETLINK_ROUTE) + number(8, 1)),
                         number(1, 20), number(1, 14)});
  EXPECT_THAT(beyond(), IsEmpty());
  for (const auto& bad : {number(1, 8) + bytes(13, bytes(5, bytes(7, bytes(4, "../x")))),
                          number(1, 21), number(1, 65535), number(1, 0)}) {
    files_["files.img"] = image(0x56303138, {bad});
    EXPECT_EQ(test::kind_thrown_by([&] { beyond(); }), ErrorKind::kCorrupt);
  }
}

TEST_F(ImagePrivilegesTest, AFileSystemInMemoryIsAsLargeAsItsConfigurationSays) {
  constexpr uint64_t kMiB = uint64_t{1} << 20;
  const auto with = [&](const std::string& place, const std::string& options) {
    auto mounts = usual_mounts();
    std::erase_if(mounts, [&](const std::string& entry) {
      return entry.contains(bytes(7, "/dev")) && entry.contains("size=65536k");
    });
    mounts.push_back(mount(5, place, 0, "/", {}, options));
    files_["mountpoints-9.img"] = mounts_image(mounts);
  };
  for (const char* options :
       {"", "size=0k", "size=65540k", "size=50%", "size=65536k,size=1048576k"}) {
    with("/dev", options);
    EXPECT_THAT(beyond(), ElementsAre("a tmpfs at /dev of more than its 64.0MiB")) << options;
  }
  with("/dev", "mode=755,size=65536k");
  EXPECT_THAT(beyond(), IsEmpty());
  std::vector<std::string> mounts = {mount(17, "/", 0)};
  mounts.push_back(mount(5, "/dev", 0, "/", {}, "size=65536k"));
  files_["mountpoints-9.img"] = mounts_image(mounts);
  for (const char* file : {"tmpfs-dev-8.tar.gz.img", "tmpfs-7.tar.gz.img"}) {
    tmpfs_ = {{file, 64 * kMiB}};
    EXPECT_THAT(beyond(), IsEmpty());
    tmpfs_ = {{file, 65 * kMiB}};
    EXPECT_THAT(beyond(), ElementsAre("a tmpfs at /dev of more than its 64.0MiB")) << file;
  }
  // CRIU would take one of the two.
  tmpfs_ = {{"tmpfs-7.tar.gz.img", 1 * kMiB}, {"tmpfs-dev-8.tar.gz.img", 65 * kMiB}};
  EXPECT_THAT(beyond(), ElementsAre("a tmpfs at /dev of more than its 64.0MiB"));
  tmpfs_ = {{"tmpfs-dev-9.tar.gz.img", 65 * kMiB}};  // of none of them
  auto little = usual();
  little.memory_bytes = 64 * kMiB;
  EXPECT_THAT(beyond(little), ElementsAre("65.0MiB in tmpfs, more than its memory"));
  tmpfs_.clear();

  // Without a size in the configuration there is the limit of its memory, or none.
  with("/scratch", "");
  EXPECT_THAT(beyond(), ElementsAre("a mount at /scratch that it was not configured with"));
  auto admin = usual();
  admin.capabilities.emplace_back("CAP_SYS_ADMIN");
  EXPECT_THAT(beyond(admin), IsEmpty());
  auto configured = usual();
  configured.tmpfs["/scratch"] = std::nullopt;
  EXPECT_THAT(beyond(configured), IsEmpty());
}

TEST_F(ImagePrivilegesTest, FilesThatAreMadeLieBehindNoLink) {
  const auto file = [](uint64_t id, const std::string& name) {
    return number(1, 1) + bytes(3, number(1, id) + bytes(6, name));
  };
  files_["remap-fpath.img"] = image(0x59133954, {number(1, 5) + number(2, 1) + number(3, 1)});
  tmpfs_ = {{"tmpfs-dev-8.tar.gz.img", 8192}};
  for (const char* name :
       {"/gone", "/way/out/x", "/dev/gone", "/dev/way/outside", "/device/way/out/x"}) {
    files_["files.img"] = image(0x56303138, {file(5, name), file(6, "/dev/way/out/x")});
    EXPECT_THAT(beyond(), IsEmpty());
    EXPECT_THAT(read().made_paths(), ElementsAre(name));
  }
  for (const char* name : {"/dev/way/out", "/dev/way/out/x", "/dev/way/out/x/y"}) {
    files_["files.img"] = image(0x56303138, {file(5, name)});
    EXPECT_EQ(test::kind_thrown_by([&] { beyond(); }), ErrorKind::kCorrupt) << name;
  }
}

// Whatever the images say of it, the container gets the one that its engine makes; but one alone.
TEST_F(ImagePrivilegesTest, ThereIsOneNetwork) {
  files_["netns-10.img"] = image(0x55933752, {number(1, 1)});
  EXPECT_THAT(beyond(), IsEmpty());
  files_["core-7.img"] = core({});
  files_["ids-7.img"] = image(0x54432030, {namespaces(300)});
  EXPECT_EQ(test::kind_thrown_by([&] { beyond(); }), ErrorKind::kCorrupt);
}

TEST_F(ImagePrivilegesTest, WhatMayBeSeenNeedNotBeHidden) {
  const auto lack = [&](const std::string& place) {
    std::vector<std::string> mounts = usual_mounts();
    std::erase_if(mounts, [&](const std::string& mount) { return mount.contains(place); });
    files_["mountpoints-9.img"] = mounts_image(mounts);
  };
  lack("/proc/interrupts");
  EXPECT_THAT(beyond(), ElementsAre("a view of /proc/interrupts"));
  auto limits = usual();
  limits.visible = {"/proc/interrupts"};
  EXPECT_THAT(beyond(limits), IsEmpty());
  lack("/proc/keys");
  EXPECT_THAT(beyond(limits), ElementsAre("a view of /proc/keys"));
}

TEST_F(ImagePrivilegesTest, PluginsAreRefused) {
  const std::string entry = bytes(3, namespaces(100)) + bytes(12, bytes(12, "amdgpu"));
  files_["inventory.img"] = word(0x58313116) + word(static_cast<uint32_t>(entry.size())) + entry;
  EXPECT_EQ(test::kind_thrown_by([&] { read(); }), ErrorKind::kCorrupt);
}

TEST(ImageFiles, AreKnownByTheirNames) {
  EXPECT_EQ(image_file_kind("core-7.img").pattern, "core-%u.img");
  EXPECT_EQ(image_file_kind("ghost-file-1f.img").use, ImageUse::kHead);
  EXPECT_EQ(image_file_kind("tmpfs-dev-54.tar.gz.img").pattern, "tmpfs-dev-%u.tar.gz.img");
  EXPECT_EQ(image_file_kind("iptables-10.img").use, ImageUse::kNetwork);
  EXPECT_EQ(image_file_kind("pagemap-shmem-7.img").pattern, "pagemap-shmem-%u.img");
  for (const char* name :
       {"", "core-.img", "core-7", "core-7f.img", "core--7.img", "xcore-7.img",
        "tmpfs-dev-.tar.gz.img", "binfmt-misc.img", "evil", "reg-files.img", "core-%u.img "}) {
    EXPECT_EQ(test::kind_thrown_by([&] { image_file_kind(name); }), ErrorKind::kCorrupt) << name;
  }
}

// One that the table has looked at and that nothing reads would be taken for whatever it says.
TEST(ImagePrivileges, EveryKindThatIsCheckedIsRead) {
  for (const ImageFileKind& kind : image_file_kinds()) {
    if (kind.use != ImageUse::kChecked && kind.use != ImageUse::kHead) continue;
    std::string name(kind.pattern);
    if (const size_t place = name.find('%'); place != std::string::npos)
      name.replace(place, 2, "7");
    ImagePrivileges privileges;
    EXPECT_EQ(test::kind_thrown_by([&] { privileges.add(name, "no image"); }), ErrorKind::kCorrupt)
        << name;
  }
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
