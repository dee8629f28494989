#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <regex>

#include "base/format.h"
#include "base/text.h"
#include "criu/reasons.h"
#include "os/files.h"
#include "os/process.h"

namespace still::criu {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(Reasons, NameTheValuesOfALine) {
  const Reason reason = reason_of(
      "Error (criu/files-reg.c:2292): File usr/bin/server has bad size 1204 (expect 1196)");
  EXPECT_EQ(reason.words, "usr/bin/server has changed: 1204 bytes, and 1196 at the checkpoint");
  EXPECT_THAT(reason.hint, HasSubstr("image"));
  EXPECT_THAT(reason_of("Error (criu/sk-unix.c:1): unix: Can't dump half of stream unix "
                        "connection. name: /run/a; peer name: ")
                  .words,
              StartsWith("the unix socket \"/run/a\" is connected"));
}

TEST(Reasons, NameAProcessThatIsThere) {
  EXPECT_THAT(
      reason_of(formatted("Error (criu/cr-dump.c:1): Can't dump task {} running in 32-bit mode",
                          ::getpid()))
          .words,
      StartsWith(formatted("task {} (unit_tests) is a 32-bit", ::getpid())));
  EXPECT_THAT(reason_of("Error (a.c:1): Can't dump task 4194305 running in 32-bit mode").words,
              StartsWith("task 4194305 is a 32-bit"));
  EXPECT_THAT(reason_of("Error (a.c:1): Can't dump task nobody running in 32-bit mode").words,
              StartsWith("task nobody is a 32-bit"));
}

TEST(Reasons, TakeTheMoreSpecialOneFirst) {
  EXPECT_THAT(
      reason_of("Error (a.c:1): inet: Can't bind inet socket (id 7): Address already in use").words,
      HasSubstr("port"));
  EXPECT_THAT(reason_of("Error (a.c:1): Can't write: No space left on device").hint,
              HasSubstr("room"));
}

TEST(Reasons, OfOtherLinesAreNotKnown) {
  for (const char* line :
       {"", "Error (criu/cr-dump.c:2128): Dumping FAILED.", "File a has bad size", "*"}) {
    EXPECT_FALSE(reason_of(line).is_known()) << line;
  }
}

TEST(Reasons, HaveAPlaceForEveryValueThatTheyName) {
  for (const std::string_view line : known_lines()) {
    std::string filled;
    for (const char c : line) filled += c == '*' ? "7" : std::string(1, c);
    const Reason reason = reason_of(filled);
    EXPECT_TRUE(reason.is_known()) << line;
    EXPECT_THAT(reason.words, testing::Not(HasSubstr("{"))) << line;
  }
}

// Otherwise none of them would ever be seen.
TEST(Reasons, AreOfLinesThatThisCriuHas) {
  const auto program = find_program("criu");
  ASSERT_TRUE(program);
  const std::string criu = read_file(*program);
  const auto is_of_the_system = [](const std::string& words) {
    for (int error = 1; error < 134; ++error) {
      if (words == formatted(": {}", std::strerror(error))) return true;
    }
    return false;
  };
  for (const std::string_view line : known_lines()) {
    for (const std::string& part : split(line, '*')) {
      const std::string as_format = std::regex_replace(part, std::regex("[0-9]+"), "%d");
      EXPECT_TRUE(criu.contains(part) || criu.contains(as_format) || is_of_the_system(part))
          << line;
    }
  }
}

}  // namespace
}  // namespace still::criu
