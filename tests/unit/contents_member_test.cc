#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "archive/manifest.h"
#include "archive_raw_tar.h"
#include "contents/listing.h"
#include "contents/member.h"
#include "os/files.h"
#include "support.h"

namespace still::contents {
namespace {

namespace fs = std::filesystem;
using test::RawMember;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;

RawMember entry(char type, const std::string& name, const std::string& link = {},
                const std::string& content = {}) {
  return {.name = name, .type = type, .content = content, .link = link, .pax = {}};
}
RawMember file(const std::string& name, const std::string& content) {
  return entry('0', name, {}, content);
}

class Contents : public testing::Test {
 protected:
  void write(const std::vector<RawMember>& members) {
    test::write_text(archive_, test::raw_archive(members));
  }
  // An archive with a volume of these entries.
  void write_volume(const std::vector<RawMember>& entries) {
    write({file("volumes/data.tar", test::raw_archive(entries)), file("ctr.log", "a line\n")});
  }

  std::string member(const std::string& name) {
    const Fd target = open_file(scratch_.path(), O_TMPFILE | O_RDWR, 0600);
    copy_member(archive_, name, target, {});
    return content_of(target);
  }
  std::string file_of_volume(const std::string& path) {
    const Fd target = open_file(scratch_.path(), O_TMPFILE | O_RDWR, 0600);
    copy_tree_file(archive_, "volumes/data.tar", path, target, {});
    return content_of(target);
  }

  test::Scratch scratch_;
  const fs::path archive_ = scratch_ / "archive";

 private:
  static std::string content_of(const Fd& file) {
    ::lseek(file.get(), 0, SEEK_SET);
    return read_all(file);
  }
};

TEST_F(Contents, AMemberIsCopied) {
  write_volume({file("a", "A")});
  EXPECT_EQ(member("ctr.log"), "a line\n");
  EXPECT_EQ(test::kind_thrown_by([&] { member("config.dump"); }), ErrorKind::kNotFound);
}

TEST_F(Contents, ADirectoryAndALinkAreNoFiles) {
  write({entry('5', "checkpoint/"), entry('2', "checkpoint/parent", "../pre-checkpoint")});
  for (const char* name : {"checkpoint", "checkpoint/", "checkpoint/parent"}) {
    EXPECT_EQ(test::kind_thrown_by([&] { member(name); }), ErrorKind::kUsage) << name;
  }
}

// Whatever is wrong behind it.
TEST_F(Contents, NothingOfADamagedArchiveIsGivenOut) {
  write({file("ctr.log", "a line\n"), file("../evil", "x")});
  EXPECT_THAT(test::message_thrown_by([&] { member("ctr.log"); }), HasSubstr("../evil"));
}

TEST_F(Contents, AFileOfATreeIsCopiedByTheNamesThatPeopleGiveIt) {
  write_volume({entry('5', "./"), entry('5', "etc/"), file("etc/motd", "hello"), file("b", "B")});
  for (const char* path : {"etc/motd", "/etc/motd", "./etc/motd", "//etc/motd"}) {
    EXPECT_EQ(file_of_volume(path), "hello") << path;
  }
  EXPECT_EQ(test::kind_thrown_by([&] { file_of_volume("etc"); }), ErrorKind::kUsage);
  EXPECT_EQ(test::kind_thrown_by([&] { file_of_volume("nothing"); }), ErrorKind::kNotFound);
  EXPECT_EQ(test::kind_thrown_by([&] { file_of_volume("../../etc/passwd"); }),
            ErrorKind::kNotFound);
}

TEST_F(Contents, LinksAreToldOfAndNotFollowed) {
  write_volume({file("a", "A"), entry('1', "b", "a"), entry('2', "passwd", "/etc/passwd")});
  EXPECT_THAT(test::message_thrown_by([&] { file_of_volume("b"); }), HasSubstr("\"a\""));
  EXPECT_THAT(test::message_thrown_by([&] { file_of_volume("passwd"); }),
              HasSubstr("a symbolic link to \"/etc/passwd\""));
}

TEST_F(Contents, AHostileTreeIsRefusedEvenIfTheFileIsThere) {
  write_volume({file("a", "A"), file("../evil", "x")});
  EXPECT_THAT(test::message_thrown_by([&] { file_of_volume("a"); }), HasSubstr("../evil"));
  write_volume({file("a", "A"), file("a", "B")});
  EXPECT_THAT(test::message_thrown_by([&] { file_of_volume("a"); }), HasSubstr("twice"));
}

TEST_F(Contents, HolesAreZeros) {
  // GNU's sparse format 1.0: a map of the data, padded to a block, then the data.
  std::string map = "1\n1048576\n4\n";
  map.resize(512, '\0');
  RawMember sparse = file("GNUSparseFile.0/big", map + "data");
  sparse.pax = {{"GNU.sparse.major", "1"},
                {"GNU.sparse.minor", "0"},
                {"GNU.sparse.name", "big"},
                {"GNU.sparse.realsize", "2097152"}};
  write_volume({sparse});
  const std::string content = file_of_volume("big");
  ASSERT_EQ(content.size(), 2097152U);
  EXPECT_EQ(content.substr(1048576, 4), "data");
  EXPECT_EQ(content.find_first_not_of('\0'), 1048576U);
}

TEST_F(Contents, OnlyTreesHaveFiles) {
  write_volume({file("a", "A")});
  const Fd target = open_file(scratch_.path(), O_TMPFILE | O_RDWR, 0600);
  EXPECT_EQ(test::kind_thrown_by([&] { copy_tree_file(archive_, "ctr.log", "a", target, {}); }),
            ErrorKind::kUsage);
}

TEST_F(Contents, TreesAreListed) {
  write_volume({entry('5', "./"), file("a", "AAA"), entry('1', "b", "a"), entry('2', "c", "/x")});
  const auto entries = list_tree(archive_, "volumes/data.tar", {});
  ASSERT_EQ(entries.size(), 4U);
  EXPECT_EQ(entries[0].path, "");
  EXPECT_EQ(entries[1].size_bytes, 3U);
  EXPECT_EQ(entries[2].hard_link, "a");
  EXPECT_EQ(entries[3].link_target, "/x");
  EXPECT_TRUE(S_ISLNK(entries[3].mode));
}

TEST_F(Contents, WhatIsNotAsTheManifestSaysIsListedAsThat) {
  archive::Manifest manifest;
  const std::string wrong(64, '0');
  manifest.members = {{"ctr.log", {.size_bytes = 2, .sha256 = wrong}},
                      {"stats-dump", {.size_bytes = 9, .sha256 = wrong}},
                      {"spec.dump", {.size_bytes = 7, .sha256 = wrong}}};
  write({file("still.json", to_json(manifest)), file("ctr.log", "x\n"), file("stats-dump", "y"),
         file("network.status", "z")});
  const Listing listing = list_members(archive_, {});
  EXPECT_TRUE(listing.has_digests);
  const auto is = [](const std::string& name, const std::string& fault) {
    return testing::AllOf(Field(&ListedMember::name, name),
                          Field(&ListedMember::fault, HasSubstr(fault)));
  };
  EXPECT_THAT(listing.members,
              ElementsAre(is("still.json", ""), is("ctr.log", "SHA-256"), is("stats-dump", "size"),
                          is("network.status", "does not list"), is("spec.dump", "missing")));
  EXPECT_EQ(listing.members[0].fault, "");
  EXPECT_EQ(test::kind_thrown_by([&] { member("ctr.log"); }), ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace still::contents
