// An archive decides how many entries a tree has, and not how much of our memory they take.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <string>

#include "archive/seen_paths.h"
#include "archive/tree_tar.h"
#include "archive_raw_tar.h"
#include "base/format.h"
#include "os/files.h"
#include "os/process_status.h"
#include "support.h"

namespace still::archive {
namespace {

using Kind = SeenPaths::Kind;

TEST(SeenPaths, KnowsWhatHasCome) {
  SeenPaths seen;
  EXPECT_EQ(seen.find("a"), std::nullopt);
  seen.put("a", Kind::kImplied);
  seen.put("", Kind::kDirectory);
  EXPECT_EQ(seen.find("a"), Kind::kImplied);
  seen.put("a", Kind::kOther);
  EXPECT_EQ(seen.find("a"), Kind::kOther);
  EXPECT_EQ(seen.find(""), Kind::kDirectory);
  EXPECT_EQ(seen.size(), 2U);
  for (int i = 0; i < 100'000; ++i) {
    seen.put(formatted("path/{}", i), i % 2 == 0 ? Kind::kDirectory : Kind::kOther);
  }
  EXPECT_EQ(seen.size(), 100'002U);
  EXPECT_EQ(seen.find("a"), Kind::kOther);
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_EQ(seen.find(formatted("path/{}", i)), i % 2 == 0 ? Kind::kDirectory : Kind::kOther);
  }
  EXPECT_EQ(seen.find("path/100000"), std::nullopt);
}

// Kilobytes that this process has had at most, since that was last reset.
int64_t most_memory() { return std::stoll(process_status_field(::getpid(), "VmHWM").value()); }
bool reset_most_memory() {
  std::FILE* file = std::fopen("/proc/self/clear_refs", "w");
  if (file == nullptr) return false;
  const bool written = std::fputs("5", file) >= 0;
  return std::fclose(file) == 0 && written;
}

// Sanitizers keep what was given back, and more around it.
class TreeTarMemory : public testing::Test {
 protected:
  void SetUp() override {
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
    GTEST_SKIP() << "AddressSanitizer has memory of its own";
#endif
#endif
  }
};

// A stream that is made while it is read: members made by `make`, which gives "" at their end.
Source stream_of(std::function<std::string(int)> make) {
  return [make = std::move(make), number = 0, at = size_t{0}, piece = std::string(),
          at_end = false](char* buffer, size_t size) mutable {
    if (at == piece.size()) {
      at = 0;
      piece = at_end ? "" : make(number++);
      if (piece.empty() && !at_end) {
        at_end = true;
        piece = std::string(1024, '\0');
      }
    }
    const size_t count = std::min(size, piece.size() - at);
    piece.copy(buffer, count, at);
    at += count;
    return count;
  };
}

constexpr int kEntries = 100'000;
constexpr int64_t kKilobytes = 16 << 10;  // 16 bytes an entry, twice while the table grows

// Files with an extended header each, as Still writes them, or directories, in one directory.
Source many(char type, int entries) {
  return stream_of([type, entries](int number) -> std::string {
    if (number == entries) return {};
    return test::raw_tar({.name = formatted("a-name-that-is-not-so-short-{}", number),
                          .type = type,
                          .content = {},
                          .link = {},
                          .mode = 0755,
                          .pax = {{"mtime", "1700000000.123456789"}}});
  });
}

TEST_F(TreeTarMemory, OfACheckIsBounded) {
  for (const char type : {'0', '5', '2'}) {
    STILL_REQUIRE(reset_most_memory(), "a kernel that forgets the peak of memory");
    const int64_t before = most_memory();
    const Source source = type == '2' ? stream_of([](int number) -> std::string {
      if (number == kEntries) return {};
      return test::raw_tar({.name = formatted("a-link-{}", number),
                            .type = '2',
                            .content = {},
                            .link = "x",
                            .pax = {}});
    })
                                      : many(type, kEntries);
    check_tree_tar(source, {.into_empty = true});
    EXPECT_LT(most_memory() - before, kKilobytes) << type;
  }
}

// Fewer: these are made.
TEST_F(TreeTarMemory, OfAnExtractionIsBounded) {
  for (const char type : {'0', '5'}) {
    const TempDir directory("/dev/shm", "still-test-");
    STILL_REQUIRE(reset_most_memory(), "a kernel that forgets the peak of memory");
    const int64_t before = most_memory();
    extract_tree_tar(many(type, 20'000), test::open_dir(directory.path()), {.into_empty = true});
    EXPECT_LT(most_memory() - before, 8 << 10) << type;
  }
}

// A place that the stream comes back to again and again, with attributes that take room.
TEST_F(TreeTarMemory, DirectoriesThatAreLeftAreForgotten) {
  const TempDir directory("/dev/shm", "still-test-");
  const std::string value(60'000, 'v');
  STILL_REQUIRE(reset_most_memory(), "a kernel that forgets the peak of memory");
  const int64_t before = most_memory();
  const Source source = stream_of([&](int number) -> std::string {
    if (number == 2000) return {};
    return test::raw_tar({.name = formatted("d{}", number),
                          .type = '5',
                          .content = {},
                          .link = {},
                          .mode = 0755,
                          .pax = {{"SCHILY.xattr.user.x", value}}});
  });
  const auto extract = [&] {
    extract_tree_tar(source, test::open_dir(directory.path()), {.into_empty = true});
  };
  try {
    extract();
  } catch (const Error&) {
    STILL_REQUIRE(false, "a file system with large attributes");
  }
  EXPECT_LT(most_memory() - before, 8 << 10);
}

// What comes last in a directory is right although the stream leaves it and comes back.
TEST(ExtractTreeTar, SetsTimesOfDirectoriesThatItComesBackTo) {
  const test::Scratch scratch;
  const auto dir = [](const std::string& name, const std::string& time) -> test::RawMember {
    return {.name = name,
            .type = '5',
            .content = {},
            .link = {},
            .mode = 0700,
            .pax = {{"mtime", time}}};
  };
  const auto file = [](const std::string& name) -> test::RawMember {
    return {.name = name, .content = "x", .link = {}, .pax = {}};
  };
  const std::string tar =
      test::raw_archive({dir("./", "1000000001"), dir("a", "1000000002"), dir("b", "1000000003"),
                         file("a/x"), file("b/x"), dir("a/c", "1000000004"), file("b/y"),
                         file("a/c/z"), file("top"), file("a/y")});
  extract_tree_tar(test::source_of(tar), test::open_dir(scratch.path()), {.into_empty = true});
  const auto time_of = [&](const std::string& name) {
    struct stat status{};
    EXPECT_EQ(::stat((scratch / name).c_str(), &status), 0) << name;
    return status.st_mtim.tv_sec;
  };
  EXPECT_EQ(time_of("."), 1000000001);
  EXPECT_EQ(time_of("a"), 1000000002);
  EXPECT_EQ(time_of("b"), 1000000003);
  EXPECT_EQ(time_of("a/c"), 1000000004);
}

// Flags forbid what the stream goes on to do: they are taken off meanwhile.
TEST(ExtractTreeTar, FillsImmutableDirectoriesAndLinksImmutableFiles) {
  const test::Scratch scratch;
  const auto fixed = [](test::RawMember member) {
    member.pax = {{"SCHILY.fflags", "schg"}};
    return member;
  };
  const test::RawMember dir{
      .name = "d", .type = '5', .content = {}, .link = {}, .mode = 0755, .pax = {}};
  const test::RawMember file{.name = "d/f", .content = "x", .link = {}, .pax = {}};
  const std::string tar =
      test::raw_archive({fixed(dir),
                         fixed(file),
                         {.name = "other", .content = "x", .link = {}, .pax = {}},
                         {.name = "d/g", .type = '1', .content = {}, .link = "d/f", .pax = {}}});
  extract_tree_tar(test::source_of(tar), test::open_dir(scratch.path()), {.into_empty = true});
  EXPECT_EQ(read_file(scratch / "d/g"), "x");
  STILL_REQUIRE(test::set_flags(scratch / "other", 0), "immutable files");
  EXPECT_NE(test::flags_of(scratch / "d"), 0U);
  EXPECT_NE(test::flags_of(scratch / "d/f"), 0U);
}

}  // namespace
}  // namespace still::archive
