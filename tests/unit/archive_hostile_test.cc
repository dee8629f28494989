// Tar streams that attack whoever extracts them.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "archive/tree_tar.h"
#include "archive_raw_tar.h"
#include "os/files.h"
#include "support.h"
#include "tree_fixture.h"

namespace still::archive {
namespace {

namespace fs = std::filesystem;
using test::RawMember;
using test::Scratch;
using test::write_text;
using testing::HasSubstr;

RawMember file(const std::string& name, const std::string& content = "evil") {
  return {.name = name, .type = '0', .content = content, .link = {}, .pax = {}};
}
RawMember directory(const std::string& name) {
  return {.name = name, .type = '5', .content = {}, .link = {}, .mode = 0755, .pax = {}};
}
RawMember symlink(const std::string& name, const std::string& target) {
  return {.name = name, .type = '2', .content = {}, .link = target, .mode = 0777, .pax = {}};
}
RawMember hard_link(const std::string& name, const std::string& target) {
  return {.name = name, .type = '1', .content = {}, .link = target, .pax = {}};
}
RawMember of_type(char type, const std::string& name) {
  return {.name = name, .type = type, .content = {}, .link = {}, .pax = {}};
}
RawMember with_pax(RawMember member, const std::string& key, const std::string& value) {
  member.pax.emplace_back(key, value);
  return member;
}

struct Attack {
  std::string what;
  std::vector<RawMember> members;
  std::string named;  // in the message
};

std::ostream& operator<<(std::ostream& out, const Attack& attack) { return out << attack.what; }

class HostileTree : public testing::TestWithParam<Attack> {
 protected:
  void SetUp() override {
    write_text(scratch_ / "victim", "unharmed");
    scratch_.make("victims");
    write_text(scratch_ / "victims/inside", "unharmed");
    scratch_.make("root/full");
    write_text(scratch_ / "root/full/file", "in the tree before");
    write_text(scratch_ / "root/present", "in the tree before");
    fs::create_symlink("../victims", scratch_ / "root/out");
  }

  std::vector<std::string> outside() const {
    auto lines = test::describe_tree(scratch_.path());
    std::erase_if(lines, [](const std::string& line) { return line.starts_with("./root"); });
    return lines;
  }

  Scratch scratch_;
};

TEST_P(HostileTree, IsRefusedByNameAndHarmsNothing) {
  const auto before = outside();
  const std::string tar = test::raw_archive(GetParam().members);
  const auto extract = [&] {
    extract_tree_tar(test::source_of(tar), test::open_dir(scratch_ / "root"), {});
  };
  const std::string message = test::message_thrown_by(extract);
  EXPECT_THAT(message, HasSubstr(GetParam().named));
  EXPECT_EQ(message.find('\n'), std::string::npos);
  EXPECT_EQ(outside(), before);
}

TEST_P(HostileTree, IsCorrupt) {
  const std::string tar = test::raw_archive(GetParam().members);
  const auto extract = [&] {
    extract_tree_tar(test::source_of(tar), test::open_dir(scratch_ / "root"), {});
  };
  EXPECT_EQ(test::kind_thrown_by(extract), ErrorKind::kCorrupt);
}

const std::string kNul("a\0b", 3);

INSTANTIATE_TEST_SUITE_P(
    Attacks, HostileTree,
    testing::Values(
        Attack{"absolute name", {file("/tmp/still-evil")}, "/tmp/still-evil"},
        Attack{"absolute name of the extended header",
               {with_pax(file("x"), "path", "/tmp/still-evil")},
               "/tmp/still-evil"},
        Attack{"name above the root", {file("../victim")}, "../victim"},
        Attack{"name above the root inside", {file("full/../../victim")}, "full/../../victim"},
        Attack{"name above the root at the end", {directory("full/..")}, "full/.."},
        Attack{"only dots", {directory("..")}, ".."},
        Attack{"dot in the middle", {file("full/./x")}, "full/./x"},
        Attack{"empty part", {file("full//x")}, "full//x"},
        Attack{"slashes only", {directory("//")}, "//"},
        Attack{"root as a file", {file("./x"), file(".")}, "\".\""},
        Attack{"root as a link", {symlink("./", "/etc")}, "./"},
        Attack{
            "file below a link of the archive", {symlink("l", ".."), file("l/victim")}, "l/victim"},
        Attack{"file below an absolute link",
               {symlink("l", "/tmp"), file("l/still-evil")},
               "l/still-evil"},
        Attack{"directory below a link", {symlink("l", ".."), directory("l/new")}, "l/new"},
        Attack{"escape in two steps",
               {symlink("l", "."), symlink("l/m", ".."), file("l/m/victim")},
               "l/m"},
        Attack{"file below a link that was there", {file("out/inside")}, "out/inside"},
        Attack{"link below a link that was there", {symlink("out/new", "x")}, "out/new"},
        Attack{"file below a file", {file("f"), file("f/g")}, "f/g"},
        Attack{"file below nothing", {file("no/such/directory")}, "no/such/directory"},
        Attack{"link in place of a directory of the archive",
               {directory("d"), symlink("d", ".."), file("d/victim")},
               "\"d\""},
        Attack{"link in place of a directory, with a slash",
               {directory("d/"), symlink("./d", ".."), file("d/victim")},
               "d"},
        Attack{"link in place of a full directory", {symlink("full", "..")}, "full"},
        Attack{"file in place of a full directory", {file("full")}, "full"},
        Attack{"hard link to a name above", {hard_link("h", "../victim")}, "h"},
        Attack{"hard link to an absolute name", {hard_link("h", "/etc/passwd")}, "h"},
        Attack{"hard link through a link", {symlink("l", ".."), hard_link("h", "l/victim")}, "h"},
        Attack{"hard link through a link that was there", {hard_link("h", "out/inside")}, "h"},
        Attack{"hard link to what was there", {hard_link("h", "present")}, "h"},
        Attack{"hard link to a directory", {directory("d"), hard_link("h", "d")}, "h"},
        Attack{"hard link to itself", {hard_link("h", "h")}, "h"},
        Attack{"hard link to a later member", {hard_link("h", "f"), file("f")}, "h"},
        Attack{
            "hard link with content",
            {file("f"), with_pax({.name = "h", .type = '1', .content = "x", .link = "f", .pax = {}},
                                 "mtime", "0")},
            "h"},
        Attack{"member twice", {file("f", "1"), file("f", "2")}, "f"},
        Attack{"member twice under two spellings", {file("f", "1"), file("./f", "2")}, "./f"},
        Attack{"root twice", {directory("./"), directory("./")}, "./"},
        Attack{"character device", {of_type('3', "device")}, "device"},
        Attack{"block device", {of_type('4', "device")}, "device"},
        Attack{"trusted attribute",
               {with_pax(file("f"), "SCHILY.xattr.trusted.overlay.redirect", "/etc")},
               "trusted.overlay.redirect"},
        Attack{"trusted attribute, escaped",
               {with_pax(file("f"), "SCHILY.xattr.%74rusted.x", "1")},
               "trusted.x"},
        Attack{"NUL in a name", {with_pax(file("f"), "path", kNul)}, "NUL"},
        Attack{"NUL in a link target", {with_pax(symlink("l", "x"), "linkpath", kNul)}, "NUL"},
        Attack{"NUL in a key", {with_pax(file("f"), kNul, "x")}, ""},
        Attack{
            "NUL in a long name",
            {{.name = "L", .type = 'L', .content = kNul + "c", .link = {}, .pax = {}}, file("f")},
            "NUL"},
        Attack{"newline in a name that escapes", {with_pax(file("f"), "path", "../\n")}, "../\\n"},
        Attack{"content that does not fit the size",
               {with_pax(with_pax(with_pax(file("f", std::string(512, '\0') + "x"),
                                           "GNU.sparse.major", "1"),
                                  "GNU.sparse.minor", "0"),
                         "GNU.sparse.realsize", "1")},
               ""},
        Attack{
            "content behind the size",
            {with_pax(with_pax(with_pax(file("f", "1\n1000000\n1\n" + std::string(502, '\0') + "x"),
                                        "GNU.sparse.major", "1"),
                               "GNU.sparse.minor", "0"),
                      "GNU.sparse.realsize", "5")},
            "f"},
        Attack{"owner out of range", {with_pax(file("f"), "uid", "4294967295")}, "owner"},
        Attack{"negative owner", {with_pax(file("f"), "uid", "-1")}, "owner"}));

// Things that look like attacks and are none.

TEST_F(HostileTree, TakesLinksThatPointAnywhere) {
  const std::string tar = test::raw_archive(
      {symlink("l", "../../../etc/passwd"), symlink("m", "/etc/passwd"), hard_link("n", "l")});
  extract_tree_tar(test::source_of(tar), test::open_dir(scratch_ / "root"), {});
  EXPECT_EQ(fs::read_symlink(scratch_ / "root/l"), "../../../etc/passwd");
  EXPECT_EQ(fs::read_symlink(scratch_ / "root/n"), "../../../etc/passwd");
}

TEST_F(HostileTree, ReplacesALinkInsteadOfFollowingIt) {
  const auto before = outside();
  const std::string tar = test::raw_archive({directory("out"), file("out/inside")});
  extract_tree_tar(test::source_of(tar), test::open_dir(scratch_ / "root"), {});
  EXPECT_FALSE(fs::is_symlink(scratch_ / "root/out"));
  EXPECT_EQ(read_file(scratch_ / "root/out/inside"), "evil");
  EXPECT_EQ(outside(), before);
}

// Streams that end too early or are no tar at all.

ErrorKind kind_of_extracting(std::string_view tar) {
  const Scratch scratch;
  return test::kind_thrown_by(
      [&] { extract_tree_tar(test::source_of(tar), test::open_dir(scratch.path()), {}); });
}

// Of files that become sources of mounts.
TEST(TreeOfPlainFiles, HasNothingElse) {
  const ExtractOptions plain{.only_plain_files = true};
  const auto check = [](const std::vector<RawMember>& members, const ExtractOptions& options) {
    const std::string tar = test::raw_archive(members);
    check_tree_tar(test::source_of(tar), options);
  };
  EXPECT_NO_THROW(check({directory("written/"), file("written/hosts"), file("hosts")}, plain));
  for (const std::vector<RawMember>& members :
       std::vector<std::vector<RawMember>>{{symlink("hosts", "/etc/shadow")},
                                           {of_type('6', "hosts")},
                                           {file("hosts"), hard_link("hostname", "hosts")}}) {
    EXPECT_NO_THROW(check(members, {})) << members.back().type;
    EXPECT_EQ(test::kind_thrown_by([&] { check(members, plain); }), ErrorKind::kCorrupt)
        << members.back().type;
  }
}

TEST(DamagedTree, IsRefusedWhereverItEnds) {
  const std::string tar = test::raw_archive(
      {directory("d"), file("d/f", std::string(3000, 'x')), with_pax(file("d/g"), "path", "d/h")});
  for (size_t size = 0; size < tar.size(); size += 128) {
    EXPECT_EQ(kind_of_extracting(std::string_view(tar).substr(0, size)), ErrorKind::kCorrupt)
        << size;
  }
}

TEST(DamagedTree, IsRefusedWithAWrongChecksum) {
  std::string tar = test::raw_archive({file("f"), file("g")});
  tar[1024] ^= 1;
  EXPECT_EQ(kind_of_extracting(tar), ErrorKind::kCorrupt);
}

TEST(DamagedTree, IsRefusedIfItIsSomethingElse) {
  EXPECT_EQ(kind_of_extracting("#!/bin/sh\n" + std::string(5000, 'x')), ErrorKind::kCorrupt);
}

TEST(DamagedTree, IsRefusedWithMalformedExtendedHeaders) {
  RawMember broken{.name = "x", .type = 'x', .content = "99 path=x\n", .link = {}, .pax = {}};
  EXPECT_EQ(kind_of_extracting(test::raw_archive({broken, file("f")})), ErrorKind::kCorrupt);
}

TEST(DamagedTree, StopsAtTheSourcesError) {
  const Scratch scratch;
  const auto extract = [&] {
    extract_tree_tar([](char*, size_t) -> size_t { throw Error(ErrorKind::kTimeout, "late"); },
                     test::open_dir(scratch.path()), {});
  };
  EXPECT_EQ(test::kind_thrown_by(extract), ErrorKind::kTimeout);
}

}  // namespace
}  // namespace still::archive
