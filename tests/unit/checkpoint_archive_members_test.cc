#include <gtest/gtest.h>

#include "base/error.h"
#include "checkpoint/archive_members.h"

namespace still::checkpoint {
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

TEST(ConfigDump, RefusesAnotherEnginesArchive) {
  try {
    parse_config_dump(R"({"id": "abc", "name": "web"})");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
  }
}

TEST(ConfigDump, RefusesDamage) {
  for (const char* text :
       {"", "[]", R"({"still": {}})", R"({"id": 1, "name": "x", "still": {}})"}) {
    EXPECT_THROW(parse_config_dump(text), Error) << text;
  }
}

}  // namespace
}  // namespace still::checkpoint
