// What the engine reads from files that it does not trust: users, logs, layers, image layouts.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <chrono>
#include <thread>

#include "archive/sha256.h"
#include "archive/tree_tar.h"
#include "archive_raw_tar.h"
#include "engine/container/etc_files.h"
#include "engine/container/rootfs.h"
#include "engine/container/users.h"
#include "engine/image/layers.h"
#include "engine/image/oci_layout.h"
#include "engine/image/tar_source.h"
#include "engine/monitor/log_line.h"
#include "engine/monitor/logs.h"
#include "os/files.h"
#include "support.h"

namespace still::engine {
namespace {

using test::kind_thrown_by;
using test::message_thrown_by;
using test::open_dir;
using test::Scratch;
using test::write_text;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/bin/sh\nredis:x:999:998::/data:/bin/false\nbroken line\n"
    "nohome:x:5:6::\n1000:x:77:78::/odd:/bin/sh\n";
constexpr const char* kGroup = "root:x:0:\nredis:x:998:\nssl:x:100:redis,other\nlog:x:101:redis\n";

TEST(User, IsFoundByName) {
  const auto user = resolve_user("redis", kPasswd, kGroup);
  EXPECT_EQ(user.ids.uid, 999u);
  EXPECT_EQ(user.ids.gid, 998u);
  EXPECT_THAT(user.ids.additional_gids, ElementsAre(100, 101));
  EXPECT_EQ(user.home, "/data");
}

TEST(User, IsFoundByNumber) {
  const auto user = resolve_user("999", kPasswd, kGroup);
  EXPECT_EQ(user.ids.gid, 998u);
  EXPECT_THAT(user.ids.additional_gids, ElementsAre(100, 101));
  const auto unknown = resolve_user("4242", kPasswd, kGroup);
  EXPECT_EQ(unknown.ids.uid, 4242u);
  EXPECT_EQ(unknown.ids.gid, 0u);
  EXPECT_EQ(unknown.home, "/");
}

TEST(User, NameOfDigitsIsANameFirst) {
  EXPECT_EQ(resolve_user("1000", kPasswd, kGroup).ids.uid, 77u);
}

TEST(User, GivenGroupReplacesAllOthers) {
  const auto user = resolve_user("redis:ssl", kPasswd, kGroup);
  EXPECT_EQ(user.ids.gid, 100u);
  EXPECT_THAT(user.ids.additional_gids, IsEmpty());
  EXPECT_EQ(resolve_user("redis:4243", kPasswd, kGroup).ids.gid, 4243u);
  EXPECT_EQ(resolve_user(":7", kPasswd, kGroup).ids.gid, 7u);
}

TEST(User, DefaultIsRootEvenWithoutFiles) {
  EXPECT_EQ(resolve_user("", kPasswd, kGroup).home, "/root");
  EXPECT_EQ(resolve_user("", "", "").ids.uid, 0u);
  EXPECT_EQ(resolve_user("nohome", kPasswd, kGroup).home, "/");
}

TEST(User, UnknownNamesAreErrors) {
  for (const char* user : {"nobody", "redis:nogroup", "-1", "4294967295", "99999999999", "red"}) {
    EXPECT_EQ(kind_thrown_by([&] { resolve_user(user, kPasswd, kGroup); }), ErrorKind::kNotFound)
        << user;
  }
}

TEST(User, FilesAreReadInsideTheRoot) {
  const Scratch scratch;
  const auto root = scratch.make("root");
  scratch.make("root/etc");
  scratch.make("root/real");
  write_text(scratch / "outside", "me:x:1:1::/out:\n");
  write_text(scratch / "root/real/passwd", "me:x:42:43::/in:\n");
  // Absolute, as links in images are: a process inside would find /real/passwd.
  std::filesystem::create_symlink("/real/passwd", root / "etc/passwd");
  EXPECT_EQ(resolve_user("me", open_dir(root)).ids.uid, 42u);
  std::filesystem::remove(root / "etc/passwd");
  std::filesystem::create_symlink("../../../../../../outside", root / "etc/passwd");
  EXPECT_EQ(kind_thrown_by([&] { resolve_user("me", open_dir(root)); }), ErrorKind::kNotFound);
}

TEST(User, FifoInPlaceOfTheFileDoesNotBlock) {
  const Scratch scratch;
  scratch.make("etc");
  ASSERT_EQ(::mkfifo((scratch / "etc/passwd").c_str(), 0600), 0);
  EXPECT_EQ(kind_thrown_by([&] { resolve_user("me", open_dir(scratch.path())); }),
            ErrorKind::kCorrupt);
}

TEST(LogLine, IsTakenApart) {
  const auto line = parse_log_line("2026-01-01T00:00:00.1+00:00 stderr P a b ");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->time, "2026-01-01T00:00:00.1+00:00");
  EXPECT_TRUE(line->from_stderr);
  EXPECT_TRUE(line->partial);
  EXPECT_EQ(line->text, "a b ");
  EXPECT_EQ(parse_log_line("t stdout F ")->text, "");
  for (const char* text : {"", "t", "t stdout", "t stdout F", "t stdin F x", "t stdout X x"}) {
    EXPECT_FALSE(parse_log_line(text)) << text;
  }
}

constexpr const char* kLog =
    "t1 stdout F one\n"
    "t2 stderr F problem\n"
    "t3 stdout P par\n"
    "t4 stdout F tial\n"
    "garbage\n"
    "t5 stdout F last\n";

struct Printed {
  std::string output;
  std::string errors;
};

Printed print(const std::filesystem::path& log, const LogOptions& options) {
  const Scratch scratch;
  const Fd output = open_file(scratch / "out", O_RDWR | O_CREAT, 0600);
  const Fd errors = open_file(scratch / "err", O_RDWR | O_CREAT, 0600);
  print_log(log, options, output, errors, {});
  return {read_file(scratch / "out"), read_file(scratch / "err")};
}

TEST(ContainerLog, IsSplitIntoItsStreams) {
  const Scratch scratch;
  write_text(scratch / "log", kLog);
  const Printed printed = print(scratch / "log", {});
  EXPECT_EQ(printed.output, "one\npartial\nlast\n");
  EXPECT_EQ(printed.errors, "problem\n");
}

TEST(ContainerLog, TailCountsWholeLines) {
  const Scratch scratch;
  write_text(scratch / "log",
             std::string(kLog).replace(std::string(kLog).find("garbage\n"), 8, ""));
  EXPECT_EQ(print(scratch / "log", {.tail = 2}).output, "partial\nlast\n");
  EXPECT_EQ(print(scratch / "log", {.tail = 3}).errors, "problem\n");
  EXPECT_EQ(print(scratch / "log", {.tail = 0}).output, "");
  EXPECT_EQ(print(scratch / "log", {.tail = 99}).output, "one\npartial\nlast\n");
}

TEST(ContainerLog, TimesStandBeforeWholeLines) {
  const Scratch scratch;
  write_text(scratch / "log", kLog);
  EXPECT_EQ(print(scratch / "log", {.tail = {}, .timestamps = true}).output,
            "t1 one\nt3 partial\nt5 last\n");
}

TEST(ContainerLog, MissingOneIsEmpty) {
  EXPECT_EQ(print("/nonexistent", {}).output, "");
  EXPECT_EQ(print("/nonexistent", {.tail = 3}).output, "");
}

TEST(ContainerLog, LongLinesSurviveTheBuffer) {
  const Scratch scratch;
  const std::string text(300'000, 'x');
  write_text(scratch / "log", "t stdout F " + text + "\nt stdout F end\n");
  EXPECT_EQ(print(scratch / "log", {}).output, text + "\nend\n");
}

TEST(ContainerLog, IsFollowedToTheEnd) {
  const Scratch scratch;
  write_text(scratch / "log", "t stdout F before\n");
  std::atomic<bool> running = true;
  std::thread writer([&] {
    const Fd log = open_file(scratch / "log", O_WRONLY | O_APPEND);
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    write_all(log, "t stdout F dur");
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    write_all(log, "ing\nt stdout F after\n");
    running = false;
  });
  const Fd output = open_file(scratch / "out", O_RDWR | O_CREAT, 0600);
  print_log(scratch / "log", {}, output, output, [&] { return running.load(); });
  writer.join();
  EXPECT_EQ(read_file(scratch / "out"), "before\nduring\nafter\n");
}

// --- images --------------------------------------------------------------------------------------

std::string tar_of(const std::filesystem::path& tree) {
  std::string tar;
  archive::write_tree_tar(open_dir(tree), {}, [&](std::string_view data) { tar += data; });
  return tar;
}

std::string digest_of(const std::string& data) {
  archive::Sha256 digest;
  digest.update(data);
  return digest.finish();
}

mode_t mode_of(const std::filesystem::path& path) {
  struct stat status{};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777;
}

class LayerTest : public testing::Test {
 protected:
  LayerTest() : layout_(store::Layout::resolve((scratch_ / "root").native(), {})) {
    layout_.create();
  }

  Layer unpack(const std::string& tar, const std::optional<std::string>& expected = {},
               const std::vector<std::filesystem::path>& below = {}) {
    write_text(scratch_ / "layer.tar", tar);
    return unpack_layer(layout_, open_file(scratch_ / "layer.tar", O_RDONLY), expected, below);
  }

  std::vector<std::string> layer_names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(layout_.layers())) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  Scratch scratch_;
  store::Layout layout_;
};

TEST_F(LayerTest, IsNamedByItsDigest) {
  write_text(scratch_.make("tree") / "file", "content");
  const std::string tar = tar_of(scratch_ / "tree");
  const Layer layer = unpack(tar, digest_of(tar));
  EXPECT_EQ(layer.diff_id, digest_of(tar));
  EXPECT_EQ(layer.size_bytes, tar.size());
  EXPECT_EQ(read_file(layout_.layer(layer.diff_id) / "file"), "content");
  EXPECT_THAT(layer_names(), ElementsAre(layer.diff_id));
  EXPECT_EQ(unpack(tar, digest_of(tar)).size_bytes, tar.size());
}

TEST_F(LayerTest, OfAnotherDigestLeavesNothing) {
  write_text(scratch_.make("tree") / "file", "content");
  const std::string tar = tar_of(scratch_ / "tree");
  EXPECT_EQ(kind_thrown_by([&] { unpack(tar, std::string(64, 'a')); }), ErrorKind::kCorrupt);
  EXPECT_EQ(kind_thrown_by([&] { unpack(tar.substr(0, 700)); }), ErrorKind::kCorrupt);
  EXPECT_THAT(layer_names(), IsEmpty());
}

TEST_F(LayerTest, CopyOfADirectoryIsALayer) {
  write_text(scratch_.make("tree") / "file", "content");
  const Layer layer = copy_layer(layout_, open_dir(scratch_ / "tree"));
  EXPECT_EQ(layer.diff_id, digest_of(tar_of(scratch_ / "tree")));
  EXPECT_EQ(read_file(layout_.layer(layer.diff_id) / "file"), "content");
}

TEST_F(LayerTest, UnfinishedOnesGo) {
  scratch_.make("root/layers/.unfinished-abc");
  scratch_.make("root/layers/" + std::string(64, 'a'));
  remove_unfinished_layers(layout_);
  EXPECT_THAT(layer_names(), ElementsAre(std::string(64, 'a')));
}

TEST_F(LayerTest, WhiteoutsBecomeThoseOfOverlayfs) {
  STILL_REQUIRE_ROOT();
  const auto tree = scratch_.make("tree");
  scratch_.make("tree/opaque");
  write_text(tree / ".wh.gone", "");
  write_text(tree / "opaque/.wh..wh..opq", "");
  write_text(tree / "opaque/kept", "x");
  write_text(tree / ".wh..wh.plnk", "");
  const auto root = layout_.layer(unpack(tar_of(tree)).diff_id);
  struct stat status{};
  ASSERT_EQ(::lstat((root / "gone").c_str(), &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));
  EXPECT_EQ(status.st_rdev, makedev(0, 0));
  char mark[8] = {};
  EXPECT_EQ(::getxattr((root / "opaque").c_str(), "trusted.overlay.opaque", mark, sizeof mark), 1);
  EXPECT_EQ(mark[0], 'y');
  EXPECT_TRUE(path_exists(root / "opaque/kept"));
  for (const char* name : {".wh.gone", "opaque/.wh..wh..opq", ".wh..wh.plnk"}) {
    EXPECT_FALSE(path_exists(root / name)) << name;
  }
}

TEST_F(LayerTest, DirectoriesWithoutEntryAreThoseBelow) {
  const auto lower = scratch_.make("lower");
  scratch_.make("lower/shared");
  ASSERT_EQ(::chmod((lower / "shared").c_str(), 0750), 0);
  const std::string tar = test::raw_archive({{.name = "shared/deep/file", .content = "x"},
                                             {.name = "late/file", .content = "y"},
                                             {.name = "late/", .type = '5', .mode = 0700}});
  const auto root = layout_.layer(unpack(tar, {}, {lower}).diff_id);
  EXPECT_EQ(mode_of(root / "shared"), 0750u);
  EXPECT_EQ(mode_of(root / "shared/deep"), 0755u);
  EXPECT_EQ(mode_of(root / "late"), 0700u);
  EXPECT_EQ(read_file(root / "shared/deep/file"), "x");
}

TEST_F(LayerTest, HostileNamesAreRefused) {
  const auto outside = scratch_.make("outside");
  const std::vector<test::RawMember> hostile[] = {
      {{.name = "../outside/x"}},
      {{.name = "/outside/x"}},
      {{.name = "link", .type = '2', .link = outside.native()}, {.name = "link/x"}},
      {{.name = "a/../../outside/x"}},
      {{.name = "a/link", .type = '2', .link = "../../../../outside"}, {.name = "a/link/b/x"}},
  };
  for (const auto& members : hostile) {
    EXPECT_EQ(kind_thrown_by([&] { unpack(test::raw_archive(members)); }), ErrorKind::kCorrupt)
        << members.back().name;
  }
  EXPECT_TRUE(std::filesystem::is_empty(outside));
  EXPECT_THAT(layer_names(), IsEmpty());
}

class OciLayoutTest : public testing::Test {
 protected:
  OciLayoutTest() {
    scratch_.make("blobs");
    scratch_.make("blobs/sha256");
  }

  std::string add_blob(const std::string& content) {
    const std::string digest = digest_of(content);
    write_text(scratch_ / ("blobs/sha256/" + digest), content);
    return R"({"digest":"sha256:)" + digest + R"(","size":)" + std::to_string(content.size());
  }

  // A descriptor without its closing brace, of a manifest with one layer.
  std::string add_image(const std::string& diff_ids) {
    const std::string config =
        add_blob(R"({"rootfs":{"type":"layers","diff_ids":[)" + diff_ids + "]}}");
    const std::string layer = add_blob("layer");
    return add_blob(R"({"config":)" + config + R"(},"layers":[)" + layer + "}]}");
  }

  void write_index(const std::string& manifests) {
    write_text(scratch_ / "index.json", R"({"schemaVersion":2,"manifests":[)" + manifests + "]}");
  }

  std::vector<OciImage> read() { return read_oci_layout(open_dir(scratch_.path())); }

  Scratch scratch_;
  const std::string diff_id_ = "\"sha256:" + std::string(64, 'd') + "\"";
};

TEST_F(OciLayoutTest, IsRead) {
  write_index(add_image(diff_id_) +
              R"(,"annotations":{"org.opencontainers.image.ref.name":"redis:7"}})");
  const auto images = read();
  ASSERT_EQ(images.size(), 1u);
  EXPECT_THAT(images[0].names, ElementsAre("redis:7"));
  EXPECT_THAT(images[0].diff_ids, ElementsAre(std::string(64, 'd')));
  EXPECT_EQ(images[0].layers[0].sha256, digest_of("layer"));
  EXPECT_EQ(read_all(open_blob(open_dir(scratch_.path()), images[0].layers[0])), "layer");
}

TEST_F(OciLayoutTest, ImagesForOtherMachinesAreLeftOut) {
  write_index(add_image(diff_id_) + R"(,"platform":{"os":"linux","architecture":"none"}})");
  EXPECT_EQ(kind_thrown_by([&] { read(); }), ErrorKind::kUnsupported);
}

TEST_F(OciLayoutTest, IndexInTheIndexIsFollowed) {
  const std::string inner = add_blob(R"({"manifests":[)" + add_image(diff_id_) + "}]}");
  write_index(inner + R"(,"annotations":{"io.containerd.image.name":"a/b:1"}})");
  EXPECT_THAT(read().at(0).names, ElementsAre("a/b:1"));
}

TEST_F(OciLayoutTest, ChangedBlobIsRefused) {
  write_index(add_image(diff_id_) + "}");
  const auto images = read();
  write_text(scratch_ / ("blobs/sha256/" + images[0].layers[0].sha256), "other");
  EXPECT_EQ(kind_thrown_by([&] { open_blob(open_dir(scratch_.path()), images[0].layers[0]); }),
            ErrorKind::kCorrupt);
  write_text(scratch_ / ("blobs/sha256/" + images[0].id), "{}");
  EXPECT_EQ(kind_thrown_by([&] { read(); }), ErrorKind::kCorrupt);
}

TEST_F(OciLayoutTest, DamagedOnesAreRefused) {
  const std::string image = add_image(diff_id_) + "}";
  for (const std::string& index :
       {std::string("[]"), std::string("{}"), std::string(R"({"manifests":[1]})"),
        std::string(R"({"manifests":[{"digest":"sha256:../../x","size":1}]})"),
        std::string(R"({"manifests":[{"digest":"md5:aa","size":1}]})"),
        R"({"manifests":[{"digest":"sha256:)" + std::string(64, 'a') + R"("}]})",
        R"({"manifests":[)" + add_blob("{}") + "}]}", R"({"manifests":[)" + add_image("") + "}]}",
        R"({"manifests":[)" + add_image("1") + "}]}",
        R"({"manifests":[)" + add_image(diff_id_ + "," + diff_id_) + "}]}"}) {
    write_text(scratch_ / "index.json", index);
    EXPECT_EQ(kind_thrown_by([&] { read(); }), ErrorKind::kCorrupt) << index;
  }
}

TEST_F(OciLayoutTest, LinksOutOfTheLayoutAreNotFollowed) {
  write_index(add_image(diff_id_) + "}");
  const Scratch outside;
  std::filesystem::rename(scratch_ / "blobs/sha256", outside / "sha256");
  std::filesystem::create_symlink(outside / "sha256", scratch_ / "blobs/sha256");
  EXPECT_EQ(kind_thrown_by([&] { read(); }), ErrorKind::kSystem);
}

class EtcFilesTest : public testing::Test {
 protected:
  EtcFilesTest() {
    make_etc_files(paths_, config_, "old", "web");
    hosts_ = content("hosts");
  }
  void renew(const std::set<std::string>& open = {}) {
    renew_etc_files(paths_, config_, "new", "copy", open);
  }
  std::string content(const std::string& file) const { return read_file(paths_.etc() / file); }
  void write(const std::string& file, const std::string& text) const {
    write_text(paths_.etc() / file, text);
  }

  const Scratch scratch_;
  const ContainerPaths paths_{scratch_.path()};
  const ContainerConfig config_;
  std::string hosts_;
};

TEST_F(EtcFilesTest, AreMadeOnce) {
  EXPECT_THAT(hosts_, HasSubstr("old web\n"));
  write("hosts", "edited");
  std::filesystem::remove(paths_.etc() / "hostname");
  make_etc_files(paths_, config_, "new", "copy");
  EXPECT_EQ(content("hosts"), "edited");
  EXPECT_EQ(content("hostname"), "new\n");
}

TEST_F(EtcFilesTest, AreRenewedWhereNobodyHasChangedThem) {
  renew();
  EXPECT_THAT(content("hosts"), testing::AllOf(HasSubstr("new copy\n"), Not(HasSubstr("old"))));
  EXPECT_EQ(content("hostname"), "new\n");
}

TEST_F(EtcFilesTest, KeepWhatTheContainerHasWritten) {
  write("hosts", hosts_ + "10.0.0.1 db\n");
  write("hostname", "other\n");
  write("resolv.conf", "nameserver 10.0.0.53\n");
  renew();
  EXPECT_THAT(content("hosts"), HasSubstr("\tnew copy\n10.0.0.1 db\n"));
  EXPECT_EQ(content("hostname"), "other\n");
  EXPECT_EQ(content("resolv.conf"), "nameserver 10.0.0.53\n");
  write("hosts", "10.0.0.1 db\n");
  renew_etc_files(paths_, config_, "newer", "copy");
  EXPECT_EQ(content("hosts"), "10.0.0.1 db\n");
}

TEST_F(EtcFilesTest, StayAsTheyAreWhileTheyAreOpen) {
  renew({"/usr/etc/hosts", "/data/hostname"});
  EXPECT_EQ(content("hosts"), hosts_);
  EXPECT_EQ(content("hostname"), "new\n");
  renew();
  EXPECT_THAT(content("hosts"), HasSubstr("new copy\n"));
}

TEST_F(EtcFilesTest, KeepTheirOwnerAndMode) {
  ASSERT_EQ(::chmod((paths_.etc() / "hosts").c_str(), 0600), 0);
  ASSERT_EQ(::chown((paths_.etc() / "hosts").c_str(), 5, 6), 0);
  renew();
  const auto status = stat_fd(open_file(paths_.etc() / "hosts", O_RDONLY));
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  EXPECT_EQ(status.st_uid, 5u);
  EXPECT_EQ(status.st_gid, 6u);
}

TEST(OpenInRoot, TakesAbsoluteLinksAsInside) {
  const Scratch scratch;
  write_text(scratch.make("real") / "file", "inside");
  std::filesystem::create_symlink("/real", scratch / "link");
  const auto file = open_in_root(open_dir(scratch.path()), "/link/file", O_RDONLY);
  ASSERT_TRUE(file);
  EXPECT_EQ(read_all(*file), "inside");
  EXPECT_FALSE(open_in_root(open_dir(scratch.path()), "/none", O_RDONLY));
  EXPECT_FALSE(open_in_root(open_dir(scratch.path()), "../../etc/passwd", O_RDONLY));
}

}  // namespace
}  // namespace still::engine
