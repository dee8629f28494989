#include <fcntl.h>
#include <gmock/gmock.h>

#include "archive/reader.h"
#include "archive/sha256.h"
#include "archive/writer.h"
#include "archive_raw_tar.h"
#include "os/files.h"
#include "os/process.h"
#include "support.h"
#include "tree_fixture.h"

namespace still::archive {
namespace {

namespace fs = std::filesystem;
using test::open_dir;
using test::RawMember;
using test::Scratch;
using test::write_text;
using testing::HasSubstr;

RawMember file(const std::string& name, const std::string& content = "x") {
  return {.name = name, .type = '0', .content = content, .link = {}, .pax = {}};
}
RawMember directory(const std::string& name) {
  return {.name = name, .type = '5', .content = {}, .link = {}, .mode = 0755, .pax = {}};
}
RawMember of_type(char type, const std::string& name, const std::string& link = {}) {
  return {.name = name, .type = type, .content = {}, .link = link, .pax = {}};
}

std::string digest_of(std::string_view content) {
  Sha256 digest;
  digest.update(content);
  return digest.finish();
}

class Unpack : public testing::Test {
 protected:
  ArchiveContents unpack(const std::vector<RawMember>& members) {
    return unpack_bytes(test::raw_archive(members));
  }

  ArchiveContents unpack_bytes(std::string_view bytes) {
    write_text(archive_, bytes);
    remove_tree(scratch_ / "out");
    return unpack_archive(archive_, open_dir(scratch_.make("out")));
  }

  std::string refusal_of(const std::vector<RawMember>& members) {
    return test::message_thrown_by([&] { unpack(members); });
  }

  fs::path out(const std::string& name) const { return scratch_ / ("out/" + name); }

  Scratch scratch_;
  const fs::path archive_ = scratch_ / "archive";
};

TEST(Sha256Test, IsTheDigestOfTheStandard) {
  EXPECT_EQ(digest_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

// What Podman writes, as far as a tar archive goes.
TEST_F(Unpack, TakesAnArchiveWithoutAManifest) {
  const auto contents = unpack(
      {directory("checkpoint/"), file("checkpoint/inventory.img"), directory("artifacts/"),
       file("config.dump", "{}"), file("spec.dump", "{}"), file("network.status", "{}"),
       file("rootfs-diff.tar"), file("deleted.files", "[]"), file("stats-dump"), file("ctr.log"),
       file("devshm-checkpoint.tar"), directory("volumes"), file("volumes/data.tar", "volume"),
       directory("pre-checkpoint"), of_type('2', "checkpoint/parent", "../pre-checkpoint")});
  EXPECT_FALSE(contents.manifest);
  EXPECT_EQ(read_file(out("volumes/data.tar")), "volume");
  EXPECT_EQ(fs::read_symlink(out("checkpoint/parent")), "../pre-checkpoint");
  EXPECT_EQ(fs::status(out("config.dump")).permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(Unpack, TakesCompressedArchives) {
  write_text(scratch_ / "plain.tar", test::raw_archive({file("config.dump", "{}")}));
  for (const char* program : {"zstd", "gzip"}) {
    const auto compressed = run_checked({.arguments = {program, "-c", scratch_ / "plain.tar"},
                                         .environment = {},
                                         .directory = {},
                                         .descriptors = {}});
    unpack_bytes(compressed);
    EXPECT_EQ(read_file(out("config.dump")), "{}") << program;
    EXPECT_EQ(test::kind_thrown_by([&] { unpack_bytes(compressed + "garbage"); }),
              ErrorKind::kCorrupt)
        << program;
    for (size_t size = 1; size < compressed.size(); size += 3) {
      EXPECT_EQ(test::kind_thrown_by([&] { unpack_bytes(compressed.substr(0, size)); }),
                ErrorKind::kCorrupt)
          << program << " " << size;
    }
  }
}

TEST_F(Unpack, SaysWhichCompressionItDoesNotKnow) {
  EXPECT_EQ(test::kind_thrown_by([&] { unpack_bytes("BZh91AY&SY..."); }), ErrorKind::kUnsupported);
}

TEST_F(Unpack, RefusesWhatIsNoArchive) {
  for (const std::string& bytes : {std::string(), std::string("x"), std::string(5000, 'x'),
                                   std::string("\x28\xb5\x2f\xfd"), std::string("\x1f\x8b")}) {
    EXPECT_EQ(test::kind_thrown_by([&] { unpack_bytes(bytes); }), ErrorKind::kCorrupt);
  }
  EXPECT_EQ(
      test::kind_thrown_by([&] { unpack_archive(scratch_ / "absent", open_dir(scratch_.path())); }),
      ErrorKind::kSystem);
}

TEST_F(Unpack, RefusesNamesThatAreNotOfTheFormat) {
  for (const char* name :
       {"/config.dump", "../config.dump", "checkpoint/../config.dump", "./config.dump",
        "checkpoint//x", "unknown", "config.dump/x", "volumes/x", "volumes/.tar", "volumes/a/b.tar",
        "volumes/../x.tar", "checkpoint", "still.json/x", "etc/passwd",
        "checkpoint/a/b/c/d/e/f/g/h/i", "checkpoint/new\nline", "checkpoint/\xff"}) {
    EXPECT_EQ(test::kind_thrown_by([&] { unpack({file(name)}); }), ErrorKind::kCorrupt) << name;
  }
  EXPECT_EQ(test::kind_thrown_by([&] { unpack({directory("rootfs-diff.tar/")}); }),
            ErrorKind::kCorrupt);
  EXPECT_EQ(test::kind_thrown_by([&] { unpack({directory("volumes/x/")}); }), ErrorKind::kCorrupt);
}

TEST_F(Unpack, RefusesWhatIsNeitherFileNorDirectory) {
  for (const char type : {'3', '4', '6'}) {
    EXPECT_THAT(refusal_of({of_type(type, "checkpoint/x")}), HasSubstr("checkpoint/x")) << type;
  }
  EXPECT_THAT(refusal_of({of_type('2', "checkpoint/x", "y")}), HasSubstr("symbolic link"));
  EXPECT_THAT(refusal_of({of_type('2', "ctr.log", "/etc/passwd")}), HasSubstr("ctr.log"));
  EXPECT_THAT(refusal_of({of_type('2', "checkpoint/parent", "/etc")}), HasSubstr("parent"));
  EXPECT_THAT(refusal_of({file("ctr.log"), of_type('1', "checkpoint/x", "ctr.log")}),
              HasSubstr("hard link"));
  RawMember sparse = file("checkpoint/x", "1\n0\n1\n" + std::string(506, '\0') + "x");
  sparse.pax = {{"GNU.sparse.major", "1"},
                {"GNU.sparse.minor", "0"},
                {"GNU.sparse.realsize", "1099511627776"}};
  EXPECT_THAT(refusal_of({sparse}), HasSubstr("sparse"));
}

TEST_F(Unpack, RefusesMembersThatOccurTwice) {
  EXPECT_THAT(refusal_of({file("ctr.log"), file("ctr.log")}), HasSubstr("twice"));
  EXPECT_THAT(refusal_of({directory("checkpoint"), directory("checkpoint/")}), HasSubstr("twice"));
}

TEST_F(Unpack, WritesNothingThroughTheParentLink) {
  const std::vector<RawMember> members = {directory("pre-checkpoint"),
                                          of_type('2', "checkpoint/parent", "../pre-checkpoint"),
                                          file("checkpoint/parent/x")};
  EXPECT_THAT(refusal_of(members), HasSubstr("checkpoint/parent/x"));
  EXPECT_TRUE(fs::is_empty(out("pre-checkpoint")));
}

// With a manifest.

class UnpackListed : public Unpack {
 protected:
  UnpackListed() {
    manifest_.members["config.dump"] = {.size_bytes = 2, .sha256 = digest_of("{}")};
    manifest_.members["checkpoint/"] = {.size_bytes = 0, .sha256 = digest_of("")};
  }

  RawMember manifest() const { return file("still.json", to_json(manifest_)); }

  Manifest manifest_;
};

TEST_F(UnpackListed, TakesWhatIsListed) {
  manifest_.container_name = "web";
  const auto contents = unpack({manifest(), file("config.dump", "{}"), directory("checkpoint")});
  ASSERT_TRUE(contents.manifest);
  EXPECT_EQ(contents.manifest->container_name, "web");
}

TEST_F(UnpackListed, RefusesAWrongDigest) {
  EXPECT_THAT(refusal_of({manifest(), file("config.dump", "[]"), directory("checkpoint")}),
              testing::AllOf(HasSubstr("config.dump"), HasSubstr("SHA-256")));
}

TEST_F(UnpackListed, RefusesAWrongSizeBeforeItIsWritten) {
  EXPECT_THAT(refusal_of({manifest(), file("config.dump", "{ }"), directory("checkpoint")}),
              testing::AllOf(HasSubstr("config.dump"), HasSubstr("size")));
  EXPECT_FALSE(fs::exists(out("config.dump")));
}

TEST_F(UnpackListed, RefusesMembersThatAreMissing) {
  EXPECT_THAT(refusal_of({manifest(), directory("checkpoint")}),
              testing::AllOf(HasSubstr("config.dump"), HasSubstr("missing")));
  EXPECT_THAT(refusal_of({manifest(), file("config.dump", "{}")}), HasSubstr("checkpoint/"));
}

TEST_F(UnpackListed, RefusesMembersThatAreNotListed) {
  EXPECT_THAT(refusal_of({manifest(), file("ctr.log"), file("config.dump", "{}")}),
              testing::AllOf(HasSubstr("ctr.log"), HasSubstr("list")));
}

TEST_F(UnpackListed, RefusesALinkWithAnotherTarget) {
  manifest_.members["checkpoint/parent"] = {.size_bytes = 17,
                                            .sha256 = digest_of("../pre-checkpoinT")};
  EXPECT_THAT(refusal_of({manifest(), file("config.dump", "{}"), directory("checkpoint"),
                          of_type('2', "checkpoint/parent", "../pre-checkpoint")}),
              HasSubstr("checkpoint/parent"));
}

TEST_F(UnpackListed, RefusesAManifestThatIsNotFirst) {
  EXPECT_THAT(refusal_of({file("config.dump", "{}"), manifest(), directory("checkpoint")}),
              HasSubstr("still.json"));
}

TEST_F(UnpackListed, RefusesADamagedManifest) {
  EXPECT_THAT(refusal_of({file("still.json", "{}"), file("config.dump", "{}")}),
              HasSubstr("still.json"));
}

// Archives that Still writes, cut off or damaged anywhere behind the room of the manifest.

class DamagedArchive : public testing::TestWithParam<Compression> {
 protected:
  static constexpr size_t kRoom = size_t{64} << 10;

  void SetUp() override {
    ArchiveWriter writer(scratch_ / "archive", GetParam());
    writer.add_bytes("config.dump", "{}");
    writer.add_bytes("checkpoint/pages-1.img", std::string(3000, 'p'));
    writer.commit({});
    bytes_ = read_file(scratch_ / "archive");
  }

  void unpack(const std::string& bytes) {
    write_text(scratch_ / "damaged", bytes);
    remove_tree(scratch_ / "out");
    unpack_archive(scratch_ / "damaged", open_dir(scratch_.make("out")));
  }

  Scratch scratch_;
  std::string bytes_;
};

INSTANTIATE_TEST_SUITE_P(Compressions, DamagedArchive,
                         testing::Values(Compression::kZstd, Compression::kGzip,
                                         Compression::kNone));

TEST_P(DamagedArchive, IsRefusedWhereverItEnds) {
  for (size_t size = 0; size < bytes_.size(); size += size < kRoom ? 4999 : 17) {
    EXPECT_EQ(test::kind_thrown_by([&] { unpack(bytes_.substr(0, size)); }), ErrorKind::kCorrupt)
        << size;
  }
}

// Bytes that mean nothing, like the padding of members, may change; content may not.
TEST_P(DamagedArchive, NeverGivesOtherContent) {
  int refused = 0;
  for (size_t at = kRoom; at < bytes_.size(); at += 7) {
    std::string damaged = bytes_;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    try {
      unpack(damaged);
      EXPECT_EQ(read_file(scratch_ / "out/config.dump"), "{}") << at;
      EXPECT_EQ(read_file(scratch_ / "out/checkpoint/pages-1.img"), std::string(3000, 'p')) << at;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorrupt) << at << error.message();
      ++refused;
    }
  }
  EXPECT_GT(refused, 10);
}

TEST(ReadManifest, ReadsNoFurtherThanTheManifest) {
  const Scratch scratch;
  ArchiveWriter writer(scratch / "archive", Compression::kNone);
  writer.add_bytes("config.dump", "{}");
  Manifest manifest;
  manifest.container_name = "web";
  writer.commit(manifest);
  fs::resize_file(scratch / "archive", 65 << 10);
  EXPECT_EQ(read_manifest(scratch / "archive")->container_name, "web");
}

TEST(ReadManifest, FindsNoneInOtherArchives) {
  const Scratch scratch;
  write_text(scratch / "archive", test::raw_archive({file("config.dump")}));
  EXPECT_FALSE(read_manifest(scratch / "archive"));
}

}  // namespace
}  // namespace still::archive
