#include <gmock/gmock.h>

#include <limits>

#include "base/text.h"
#include "support.h"

namespace still {
namespace {

using std::chrono::nanoseconds;
using test::kind_thrown_by;
using testing::ElementsAre;

TEST(Text, SplitKeepsEmptyParts) {
  EXPECT_THAT(split("a,,b", ','), ElementsAre("a", "", "b"));
  EXPECT_THAT(split("", ','), ElementsAre(""));
  EXPECT_THAT(split(",", ','), ElementsAre("", ""));
  EXPECT_THAT(split("abc", ','), ElementsAre("abc"));
}

TEST(Text, JoinIsTheReverse) {
  EXPECT_EQ(join({"a", "", "b"}, ", "), "a, , b");
  EXPECT_EQ(join({}, ","), "");
  EXPECT_EQ(join({"same", "same"}, "-"), "same-same");
}

TEST(Text, TrimTakesWhiteSpaceAtTheEnds) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
  EXPECT_EQ(trim(""), "");
}

TEST(Text, ParseIntegerTakesAllOrNothing) {
  EXPECT_EQ(parse_integer("0"), 0);
  EXPECT_EQ(parse_integer("-12"), -12);
  EXPECT_EQ(parse_integer("9223372036854775807"), std::numeric_limits<int64_t>::max());
  for (const char* text : {"", " 1", "1 ", "+1", "0x1", "1.0", "9223372036854775808", "one", "-"}) {
    EXPECT_EQ(parse_integer(text), std::nullopt) << text;
  }
}

TEST(Text, ParseSizeKnowsPodmansUnits) {
  EXPECT_EQ(parse_size("512"), 512U);
  EXPECT_EQ(parse_size("0"), 0U);
  EXPECT_EQ(parse_size("1b"), 1U);
  EXPECT_EQ(parse_size("64k"), 65536U);
  EXPECT_EQ(parse_size("64K"), 65536U);
  EXPECT_EQ(parse_size("2kb"), 2048U);
  EXPECT_EQ(parse_size("2MiB"), 2U << 20);
  EXPECT_EQ(parse_size("1.5g"), uint64_t{3} << 29);
  EXPECT_EQ(parse_size("1t"), uint64_t{1} << 40);
}

TEST(Text, ParseSizeRefusesTheRest) {
  for (const char* text : {"", "k", "-1", "1x", "1kk", "1 k", "1ki", "0x10", "inf", "nan", "1e3",
                           "99999999999t", "1k2"}) {
    EXPECT_EQ(kind_thrown_by([&] { parse_size(text); }), ErrorKind::kUsage) << text;
  }
}

TEST(Text, ParseDurationReadsGosNotation) {
  EXPECT_EQ(parse_duration("250ms"), nanoseconds(250'000'000));
  EXPECT_EQ(parse_duration("1.5s"), nanoseconds(1'500'000'000));
  EXPECT_EQ(parse_duration("1m30s"), std::chrono::seconds(90));
  EXPECT_EQ(parse_duration("1h"), std::chrono::hours(1));
  EXPECT_EQ(parse_duration("3us"), nanoseconds(3000));
  EXPECT_EQ(parse_duration("7ns"), nanoseconds(7));
  EXPECT_EQ(parse_duration("0s"), nanoseconds(0));
}

TEST(Text, ParseDurationRefusesTheRest) {
  for (const char* text : {"", "5", "s", "-1s", "1 s", "1d", "1s5", "1ss", "infs", "9999999999h"}) {
    EXPECT_EQ(kind_thrown_by([&] { parse_duration(text); }), ErrorKind::kUsage) << text;
  }
}

TEST(Text, SizesForPeople) {
  EXPECT_EQ(human_size(0), "0B");
  EXPECT_EQ(human_size(1023), "1023B");
  EXPECT_EQ(human_size(1024), "1.0KiB");
  EXPECT_EQ(human_size(3 << 19), "1.5MiB");
  EXPECT_EQ(human_size(uint64_t{250} << 30), "250GiB");
}

TEST(Text, DurationsForPeople) {
  EXPECT_EQ(human_duration(nanoseconds(412'300)), "412 us");
  EXPECT_EQ(human_duration(nanoseconds(38'240'000)), "38.2 ms");
  EXPECT_EQ(human_duration(nanoseconds(1'240'000'000)), "1.24 s");
}

TEST(Text, PrintableHidesWhatCouldGarbleATerminal) {
  EXPECT_EQ(printable("plain text~"), "plain text~");
  EXPECT_EQ(printable("a\nb\tc\\d"), "a\\nb\\tc\\\\d");
  EXPECT_EQ(printable("\x1b[2J\x7f\xff"), "\\x1b[2J\\x7f\\xff");
  EXPECT_EQ(printable(std::string_view("\0", 1)), "\\x00");
}

TEST(Text, HexIsLowerCase) {
  EXPECT_EQ(hex(std::string_view("\x00\xff\x1a", 3)), "00ff1a");
  EXPECT_EQ(hex(""), "");
}

}  // namespace
}  // namespace still
