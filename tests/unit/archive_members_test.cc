#include <gtest/gtest.h>

#include "archive/deleted_files.h"
#include "archive/members.h"
#include "base/error.h"
#include "engine/container/config_dump.h"

namespace still::archive {
namespace {

std::vector<std::string> through_json(const std::vector<std::string>& paths) {
  return parse_deleted_files(write_deleted_files(paths));
}

TEST(DeletedFiles, KeepsEveryByteOfAName) {
  std::string all_bytes;
  for (int byte = 1; byte < 256; ++byte) all_bytes += static_cast<char>(byte);
  const std::vector<std::string> paths = {"etc/motd",
                                          "a\nb\"c\\d",
                                          "\xff\xfe\x80",
                                          "caf\xc3\xa9",
                                          "truncated \xc3",
                                          "overlong \xc0\xaf",
                                          "surrogate \xed\xa0\x80",
                                          "escape range \xef\x9e\x80 \xef\x9f\xbf",
                                          "emoji \xf0\x9f\xa6\x80",
                                          all_bytes};
  EXPECT_EQ(through_json(paths), paths);
}

TEST(DeletedFiles, WritesPlainNamesAsPodmanDoes) {
  EXPECT_EQ(write_deleted_files({"etc/motd", "var/log"}), R"(["etc/motd","var/log"])");
}

TEST(DeletedFiles, RefusesWhatIsNoListOfStrings) {
  for (const char* text : {"", "{}", "[1]", "[\"a\"", "\"a\"", "null"}) {
    EXPECT_THROW(parse_deleted_files(text), Error) << text;
  }
}

TEST(Members, AreKnownByTheirNames) {
  for (const auto kind :
       {MemberKind::kManifest, MemberKind::kConfig, MemberKind::kSpec, MemberKind::kRootfs,
        MemberKind::kDeletedFiles, MemberKind::kReplacedFiles, MemberKind::kShm,
        MemberKind::kStatistics, MemberKind::kLog, MemberKind::kEtc, MemberKind::kArtifacts}) {
    EXPECT_EQ(kind_of(name_of(kind)), kind) << name_of(kind);
  }
  EXPECT_EQ(kind_of(volume_member("data")), MemberKind::kVolume);
  EXPECT_EQ(kind_of("checkpoint/core-1.img"), MemberKind::kImage);
  for (const char* other : {"checkpoint", "checkpoints/x", "volumes", "config.dump/x", ""}) {
    EXPECT_EQ(kind_of(other), MemberKind::kOther) << other;
  }
}

TEST(ConfigDump, RefusesAnotherEnginesArchive) {
  try {
    engine::parse_config_dump(R"({"id": "abc", "name": "web"})");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
  }
}

TEST(ConfigDump, RefusesDamage) {
  for (const char* text :
       {"", "[]", R"({"still": {}})", R"({"id": 1, "name": "x", "still": {}})"}) {
    EXPECT_THROW(engine::parse_config_dump(text), Error) << text;
  }
}

}  // namespace
}  // namespace still::archive
