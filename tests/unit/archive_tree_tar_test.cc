#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include <array>

#include "archive/tree_tar.h"
#include "archive_raw_tar.h"
#include "os/files.h"
#include "os/inode_flags.h"
#include "os/mount.h"
#include "os/process.h"
#include "os/walk.h"
#include "support.h"
#include "tree_fixture.h"

namespace still::archive {
namespace {

namespace fs = std::filesystem;
using test::open_dir;
using test::Scratch;
using test::write_text;
using testing::ElementsAre;

constexpr ExtractOptions kAllowAll{.allow_devices = true, .allow_trusted_xattrs = true};

std::string tar_of(const fs::path& root, const TreeTarOptions& options = {}) {
  std::string bytes;
  write_tree_tar(open_dir(root), options, [&](std::string_view data) { bytes += data; });
  return bytes;
}

void extract(const std::string& tar, const fs::path& root) {
  extract_tree_tar(test::source_of(tar), open_dir(root), kAllowAll);
}

TEST(TreeTar, BringsBackEverythingThatATreeHas) {
  const Scratch scratch;
  test::make_nasty_tree(scratch.make("source"));
  extract(tar_of(scratch / "source"), scratch.make("copy"));
  EXPECT_EQ(test::describe_tree(scratch / "copy"), test::describe_tree(scratch / "source"));
  for (const char* name : {"over 8 GiB", "nothing but a hole", "many holes"}) {
    EXPECT_LE(test::allocated(scratch.path() / "copy" / name),
              test::allocated(scratch.path() / "source" / name))
        << name;
  }
}

TEST(TreeTar, ReplacesTheSameTree) {
  const Scratch scratch;
  test::make_nasty_tree(scratch.make("source"));
  test::make_nasty_tree(scratch.make("copy"));
  extract(tar_of(scratch / "source"), scratch / "copy");
  EXPECT_EQ(test::describe_tree(scratch / "copy"), test::describe_tree(scratch / "source"));
}

TEST(TreeTar, HasTheMeasuredSize) {
  const Scratch scratch;
  test::make_nasty_tree(scratch.make("source"));
  write_text(scratch.make("small") / "one byte", "x");
  for (const fs::path& root : {scratch / "source", scratch / "small", scratch.make("empty")}) {
    const TreeTarTotals measured = measure_tree_tar(open_dir(root), {}).totals;
    uint64_t written = 0;
    const TreeTarTotals totals =
        write_tree_tar(open_dir(root), {}, [&](std::string_view data) { written += data.size(); });
    EXPECT_EQ(measured.size_bytes, written) << root;
    EXPECT_EQ(totals.size_bytes, written) << root;
    EXPECT_EQ(totals.files, measured.files) << root;
  }
}

// File systems may do that on their own: see TreeTarPlan.
TEST(TreeTar, HasTheMeasuredSizeThoughHolesComeAndGo) {
  const Scratch scratch;
  const fs::path root = scratch.make("root");
  const std::string block(4096, 'x');
  const std::string zeros(4096, '\0');
  for (const char* name :
       {"hole to be filled", "full file to be punched", "sparse to be punched"}) {
    const Fd file = open_file(root / name, O_WRONLY | O_CREAT, 0600);
    ASSERT_EQ(::pwrite(file.get(), zeros.data(), zeros.size(), 0), 4096);
    ASSERT_EQ(::pwrite(file.get(), zeros.data(), zeros.size(), 4096), 4096);
    const off_t end = std::string_view(name).starts_with("full") ? 8192 : 12288;
    ASSERT_EQ(::pwrite(file.get(), block.data(), block.size(), end), 4096);
  }
  const TreeTarPlan plan = measure_tree_tar(open_dir(root), {});
  EXPECT_EQ(plan.sparse_files.size(), 2);
  for (const auto& entry : fs::directory_iterator(root)) {
    const Fd file = open_file(entry.path(), O_WRONLY);
    if (entry.path().filename() == "hole to be filled") {
      ASSERT_EQ(::pwrite(file.get(), zeros.data(), zeros.size(), 8192), 4096);
    } else {
      ASSERT_EQ(::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
    }
  }
  std::string tar;
  write_tree_tar(open_dir(root), {}, plan, [&](std::string_view data) { tar += data; });
  EXPECT_EQ(tar.size(), plan.totals.size_bytes);
  EXPECT_NE(tar.size(), measure_tree_tar(open_dir(root), {}).totals.size_bytes);
  extract(tar, scratch.make("copy"));
  EXPECT_EQ(test::describe_tree(scratch / "copy"), test::describe_tree(root));
}

TEST(TreeTar, IsReadByGnuTar) {
  const Scratch scratch;
  test::make_nasty_tree(scratch.make("source"));
  remove_tree(scratch / "source" / std::string(200, 'p'));  // beyond PATH_MAX, and so beyond it
  write_text(scratch / "tree.tar", tar_of(scratch / "source"));
  STILL_REQUIRE(find_program("tar"), "GNU tar");
  std::vector<std::string> command = {"tar",
                                      "-x",
                                      "--xattrs",
                                      "--xattrs-include=*",
                                      "--numeric-owner",
                                      "-p",
                                      "-S",
                                      "-f",
                                      scratch / "tree.tar",
                                      "-C",
                                      scratch.make("copy")};
  run_checked({.arguments = command, .environment = {}, .directory = {}, .descriptors = {}});
  // Its own ideas of ACLs and of times of links are not what is compared here.
  const auto names_of = [](const fs::path& root) {
    std::vector<std::string> names;
    for (const std::string& line : test::describe_tree(root)) {
      names.push_back(line.substr(0, line.find(' ', line.find(' ') + 1)));
    }
    return names;
  };
  EXPECT_EQ(names_of(scratch / "copy"), names_of(scratch / "source"));
  std::string value(64, '\0');
  const ssize_t size =
      ::getxattr((scratch / "copy/attributes").c_str(), "user.binary", value.data(), value.size());
  EXPECT_EQ(value.substr(0, static_cast<size_t>(size)), std::string("\0\n=\xff", 4));
  EXPECT_LT(test::allocated(scratch / "copy/over 8 GiB"), uint64_t{1} << 20);
}

TEST(TreeTar, StartsWithTheRootAndIsSorted) {
  const Scratch scratch;
  scratch.make("root/b");
  write_text(scratch / "root/b/c", "x");
  write_text(scratch / "root/a", "x");
  write_text(scratch / "tree.tar", tar_of(scratch / "root"));
  STILL_REQUIRE(find_program("tar"), "GNU tar");
  EXPECT_EQ(run_checked({.arguments = {"tar", "-tf", scratch / "tree.tar"},
                         .environment = {},
                         .directory = {},
                         .descriptors = {}}),
            "./\na\nb/\nb/c\n");
}

TEST(TreeTar, LeavesOutWhatIsExcluded) {
  const Scratch scratch;
  for (const char* name : {"root/run/lock", "root/etc", "root/runner"}) scratch.make(name);
  write_text(scratch / "root/etc/hosts", "x");
  write_text(scratch / "root/etc/hosts.allow", "x");
  extract(tar_of(scratch / "root", {.excluded = {"run", "etc/hosts"}}), scratch.make("copy"));
  EXPECT_FALSE(fs::exists(scratch / "copy/run"));
  EXPECT_FALSE(fs::exists(scratch / "copy/etc/hosts"));
  EXPECT_TRUE(fs::exists(scratch / "copy/etc/hosts.allow"));
  EXPECT_TRUE(fs::exists(scratch / "copy/runner"));
}

TEST(TreeTar, LeavesOutWhatOverlaysKeepInAnUpperLayer) {
  STILL_REQUIRE_ROOT();
  const Scratch scratch;
  const fs::path opaque = scratch.make("upper/opaque");
  ASSERT_EQ(::mknod((scratch / "upper/whiteout").c_str(), S_IFCHR, makedev(0, 0)), 0);
  ASSERT_EQ(::setxattr(opaque.c_str(), "trusted.overlay.opaque", "y", 1, 0), 0);
  ASSERT_EQ(::setxattr(opaque.c_str(), "trusted.overlay.overlay.opaque", "x", 1, 0), 0);
  extract(tar_of(scratch / "upper", {.excluded = {}, .upper_layer = true}), scratch.make("copy"));
  EXPECT_FALSE(fs::exists(scratch / "copy/whiteout"));
  std::string value(1, '\0');
  EXPECT_EQ(
      ::getxattr((scratch / "copy/opaque").c_str(), "trusted.overlay.opaque", value.data(), 1), 1);
  EXPECT_EQ(value, "x") << "that of an overlay inside the tree";
}

TEST(TreeTar, NamesTheSocketsThatItCannotHold) {
  const Scratch scratch;
  const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  (scratch.make("root") / "socket").native().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const auto totals = write_tree_tar(open_dir(scratch / "root"), {}, [](std::string_view) {});
  EXPECT_THAT(totals.sockets, ElementsAre("socket"));
  EXPECT_EQ(totals.files, 1);
}

TEST(TreeTar, TellsOfWhatTakesACapability) {
  STILL_REQUIRE_ROOT();
  const Scratch scratch;
  const fs::path root = scratch.make("root");
  ASSERT_EQ(::mknod((root / "whiteout").c_str(), S_IFCHR, makedev(0, 0)), 0);
  ASSERT_EQ(::mknod((root / "disk").c_str(), S_IFBLK, makedev(0, 0)), 0);
  fs::create_hard_link(root / "disk", root / "disk again");
  ASSERT_EQ(::setxattr(scratch.make("root/opaque").c_str(), "trusted.x", "y", 1, 0), 0);
  for (int i = 0; i < 12; ++i) {
    ASSERT_EQ(::mknod((root / ("n" + std::to_string(i))).c_str(), S_IFCHR, makedev(1, 3)), 0);
  }
  std::string tar;
  const auto written =
      write_tree_tar(open_dir(root), {}, [&](std::string_view data) { tar += data; }).privileged;
  const auto read = check_tree_tar(test::source_of(tar), kAllowAll).privileged;
  for (const PrivilegedEntries& found : {written, read}) {
    EXPECT_EQ(describe(found.devices), "disk, n0, n1, n10, n11, n2, n3, n4, n5, n6 and 3 more");
    EXPECT_EQ(found.trusted.first.size(), 1);
  }
  const std::array<dev_t, 1> null = {makedev(1, 3)};
  const ExtractOptions usual{.allow_devices = true, .allow_trusted_xattrs = true, .devices = null};
  EXPECT_EQ(check_tree_tar(test::source_of(tar), usual).privileged.devices.count, 1);
}

// A tree with flags, as chattr(1) sets them. false: not here.
bool make_flagged_tree(const fs::path& root) {
  make_directory(root, 0755);
  make_directory(root / "fixed", 0755);
  for (const char* file : {"log", "plain", "fixed/file"}) write_text(root / file, file);
  fs::create_hard_link(root / "fixed/file", root / "other name");
  return test::set_flags(root / "log", kAppendOnly) &&
         test::set_flags(root / "fixed/file", kImmutable | kAppendOnly) &&
         test::set_flags(root / "fixed", kImmutable) && test::set_flags(root, kImmutable);
}

void expect_flags(const fs::path& root) {
  EXPECT_EQ(test::flags_of(root), kImmutable);
  EXPECT_EQ(test::flags_of(root / "fixed"), kImmutable);
  EXPECT_EQ(test::flags_of(root / "log"), kAppendOnly);
  EXPECT_EQ(test::flags_of(root / "other name"), kImmutable | kAppendOnly);
  EXPECT_EQ(test::flags_of(root / "plain"), 0);
}

TEST(TreeTar, KeepsFlagsThatFixFiles) {
  const Scratch scratch;
  STILL_REQUIRE(make_flagged_tree(scratch / "source"), "immutable files");
  const std::string tar = tar_of(scratch / "source");
  EXPECT_THAT(tar, testing::HasSubstr("SCHILY.fflags=")) << "a key that other readers ignore";
  extract(tar, scratch.make("copy"));
  expect_flags(scratch / "copy");
  EXPECT_EQ(test::describe_tree(scratch / "copy"), test::describe_tree(scratch / "source"));
}

// As a mirror has them.
TEST(TreeTar, TakesTheFlagsOfACopyFromItsMaker) {
  const Scratch scratch;
  scratch.make("copy/fixed");
  for (const char* file : {"log", "plain", "fixed/file"})
    write_text(scratch.path() / "copy" / file, file);
  fs::create_hard_link(scratch / "copy/fixed/file", scratch / "copy/other name");
  const TreeTarOptions options{.inode_flags = {{"", kImmutable},
                                               {"fixed", kImmutable},
                                               {"log", kAppendOnly},
                                               {"fixed/file", kImmutable | kAppendOnly},
                                               {"other name", kImmutable | kAppendOnly}}};
  extract(tar_of(scratch / "copy", options), scratch.make("restored"));
  STILL_REQUIRE(test::set_flags(scratch / "copy", 0), "immutable files");
  expect_flags(scratch / "restored");
}

TEST(TreeTar, FindsTheFlagsThatOverlaysKeepInAnUpperLayer) {
  STILL_REQUIRE_ROOT();
  const Scratch scratch;
  write_text(scratch.make("upper") / "file", "x");
  ASSERT_EQ(::setxattr((scratch / "upper/file").c_str(), "trusted.overlay.protattr", "ai", 2, 0),
            0);
  extract(tar_of(scratch / "upper", {.upper_layer = true}), scratch.make("copy"));
  STILL_REQUIRE(test::set_flags(scratch / "upper", 0), "immutable files");
  EXPECT_EQ(test::flags_of(scratch / "copy/file"), kImmutable | kAppendOnly);
}

TEST(TreeTar, NamesWhatHasNoFlagsHere) {
  const Scratch scratch;
  STILL_REQUIRE(make_flagged_tree(scratch / "source"), "immutable files");
  const auto mounted = scratch.make("mounted");
  const std::string tar = tar_of(scratch / "source");
  mount("ramfs", mounted, "ramfs", 0, "");
  const SomePaths without =
      extract_tree_tar(test::source_of(tar), open_dir(mounted), {.into_empty = true});
  const std::string log = read_file(mounted / "log");
  unmount_all(mounted);
  EXPECT_EQ(describe(without), "fixed, fixed/file, log, .");
  EXPECT_EQ(log, "log");
}

TEST(TreeTar, FailsIfAFileGrowsOrShrinksMeanwhile) {
  const Scratch scratch;
  const fs::path file = scratch.make("root") / "file";
  for (const off_t size : {off_t{1} << 20, off_t{9} << 20}) {
    write_text(file, std::string(size_t{4} << 20, 'x'));
    bool changed = false;
    const auto write = [&] {
      write_tree_tar(open_dir(scratch / "root"), {}, [&](std::string_view data) {
        if (data.size() > 4096 && !changed) changed = ::truncate(file.c_str(), size) == 0;
      });
    };
    EXPECT_EQ(test::kind_thrown_by(write), ErrorKind::kConflict) << size;
  }
}

TEST(TreeTar, PassesTheSinksErrorOn) {
  const Scratch scratch;
  write_text(scratch.make("root") / "file", "x");
  const auto write = [&] {
    write_tree_tar(open_dir(scratch / "root"), {},
                   [](std::string_view) { throw Error(ErrorKind::kInterrupted, "stopped"); });
  };
  EXPECT_EQ(test::kind_thrown_by(write), ErrorKind::kInterrupted);
}

TEST(TreeTar, RefusesMoreXattrsThanReadersTake) {
  const Scratch scratch;
  const fs::path shm = "/dev/shm";  // tmpfs takes attributes of any number and 64 KiB each
  const TempDir directory(shm, "still-test-");
  write_text(directory.path() / "file", "x");
  const std::string value(65000, 'v');
  for (int i = 0; i < 16; ++i) {
    const bool set =
        ::setxattr((directory.path() / "file").c_str(), ("trusted." + std::to_string(i)).c_str(),
                   value.data(), value.size(), 0) == 0;
    STILL_REQUIRE(set, "a file system with large attributes");
  }
  EXPECT_EQ(test::kind_thrown_by([&] { tar_of(directory.path()); }), ErrorKind::kUnsupported);
}

// What Go's archive/tar writes for names that are not ASCII: no hdrcharset, bytes as they are.
TEST(ExtractTreeTar, KeepsTheBytesOfNamesThatAreNotUtf8) {
  const Scratch scratch;
  const std::string name = "\xc3\xa4 and \xff";
  extract(test::raw_archive(
              {{.name = "placeholder", .content = "x", .link = {}, .pax = {{"path", name}}}}),
          scratch.path());
  EXPECT_THAT(list_names(open_dir(scratch.path())), ElementsAre(name));
}

TEST(ExtractTreeTar, AddsToWhatIsThere) {
  const Scratch scratch;
  scratch.make("directory");
  write_text(scratch / "directory/kept", "old");
  write_text(scratch / "directory/replaced", "old");
  write_text(scratch / "was a file", "old");
  scratch.make("was an empty directory");
  fs::create_symlink("/etc/passwd", scratch / "was a link");
  extract(
      test::raw_archive(
          {{.name = "directory/", .type = '5', .content = {}, .link = {}, .mode = 0711, .pax = {}},
           {.name = "directory/replaced", .content = "new", .link = {}, .pax = {}},
           {.name = "was a file/", .type = '5', .content = {}, .link = {}, .pax = {}},
           {.name = "was an empty directory", .content = "x", .link = {}, .pax = {}},
           {.name = "was a link", .content = "mine", .link = {}, .pax = {}}}),
      scratch.path());
  EXPECT_EQ(read_file(scratch / "directory/kept"), "old");
  EXPECT_EQ(read_file(scratch / "directory/replaced"), "new");
  EXPECT_TRUE(fs::is_directory(scratch / "was a file"));
  EXPECT_TRUE(fs::is_regular_file(scratch / "was an empty directory"));
  EXPECT_EQ(read_file(scratch / "was a link"), "mine");
  EXPECT_FALSE(fs::is_symlink(scratch / "was a link"));
}

TEST(ExtractTreeTar, RemovesAttributesThatTheMemberDoesNotHave) {
  const Scratch scratch;
  scratch.make("source/directory");
  const std::string acl = test::acl_for_user(5);
  const fs::path copy = scratch.make("copy/directory");
  ASSERT_EQ(::setxattr(copy.c_str(), "user.old", "1", 1, 0), 0);
  ASSERT_EQ(::setxattr(copy.c_str(), "system.posix_acl_default", acl.data(), acl.size(), 0), 0);
  write_text(scratch / "source/directory/file", "x");
  extract(tar_of(scratch / "source"), scratch / "copy");
  EXPECT_EQ(test::describe_tree(scratch / "copy"), test::describe_tree(scratch / "source"));
}

}  // namespace
}  // namespace still::archive
