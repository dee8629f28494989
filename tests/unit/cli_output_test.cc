#include <gtest/gtest.h>

#include "base/error.h"
#include "cli/output/human.h"
#include "cli/output/output.h"
#include "cli/output/table.h"
#include "cli/output/yaml.h"

namespace still::cli {
namespace {

using std::chrono::seconds;

TEST(Table, AlignsColumnsAndLeavesNoBlanksAtTheEnd) {
  EXPECT_EQ(format_table({{"ID", "NAME"}, {"1234567890123", "x"}, {"2", ""}}),
            "ID             NAME\n1234567890123  x\n2\n");
}

TEST(Table, ColumnsAreAtLeastTenWide) { EXPECT_EQ(format_table({{"A", "B"}}), "A           B\n"); }

TEST(Table, CountsCharactersNotBytes) {
  EXPECT_EQ(format_table({{"Größe", "B"}}), "Größe       B\n");
}

ListFormat list_format() {
  return {"table {{.ID}}\t{{.RunningFor}}",
          {{"ID", "THE ID"}},
          Json{{"ID", ""}, {"RunningFor", ""}, {"Labels", nullptr}}};
}

std::vector<ListEntry> entries() {
  const Json fields = {{"ID", "1"}, {"RunningFor", "2 days"}, {"Labels", {{"a", "b"}}}};
  return {{Json{{"Id", "1111"}}, fields}};
}

TEST(List, IsATableByDefault) {
  EXPECT_EQ(format_list(entries(), list_format(), {}),
            "THE ID      RUNNING FOR\n1           2 days\n");
}

TEST(List, HasHeadersWithoutEntries) {
  EXPECT_EQ(format_list({}, list_format(), {}), "THE ID      RUNNING FOR\n");
  EXPECT_EQ(format_list({}, list_format(), {.format = "table {{.Labels}}"}), "LABELS\n");
}

TEST(List, LeavesTheHeadingOut) {
  EXPECT_EQ(format_list(entries(), list_format(), {.no_heading = true}), "1           2 days\n");
}

TEST(List, BlanksBetweenFieldsOfATableSeparateColumns) {
  EXPECT_EQ(format_list(entries(), list_format(), {.format = "table {{.ID}} {{.RunningFor}}"}),
            format_list(entries(), list_format(), {}));
}

TEST(List, PrintsATemplatePerEntryWithoutHeading) {
  EXPECT_EQ(format_list(entries(), list_format(), {.format = "{{.ID}}\\t{{.Labels}}"}),
            "1\tmap[a:b]\n");
}

TEST(List, PrintsJson) {
  EXPECT_EQ(format_list(entries(), list_format(), {.format = "json"}),
            "[\n    {\n        \"Id\": \"1111\"\n    }\n]\n");
  EXPECT_EQ(format_list({}, list_format(), {.format = "json"}), "[]\n");
}

TEST(List, RefusesAnUnknownFieldEvenWithoutEntries) {
  EXPECT_THROW(format_list({}, list_format(), {.format = "table {{.Nome}}"}), Error);
}

TEST(Human, AgesAsPodman) {
  EXPECT_EQ(human_age(std::chrono::milliseconds(900)), "Less than a second");
  EXPECT_EQ(human_age(seconds(1)), "1 second");
  EXPECT_EQ(human_age(seconds(59)), "59 seconds");
  EXPECT_EQ(human_age(seconds(60)), "About a minute");
  EXPECT_EQ(human_age(seconds(150)), "2 minutes");
  EXPECT_EQ(human_age(seconds(3600)), "About an hour");
  EXPECT_EQ(human_age(seconds(2 * 3600)), "2 hours");
  EXPECT_EQ(human_age(seconds(3 * 86400)), "3 days");
  EXPECT_EQ(human_age(seconds(20 * 86400)), "2 weeks");
  EXPECT_EQ(human_age(seconds(100 * 86400)), "3 months");
  EXPECT_EQ(human_age(seconds(800LL * 86400)), "2 years");
}

TEST(Human, SizesInPowersOfThousand) {
  EXPECT_EQ(decimal_size(0), "0 B");
  EXPECT_EQ(decimal_size(2038855), "2.04 MB");
  EXPECT_EQ(decimal_size(999), "999 B");
  EXPECT_EQ(decimal_size(12'345), "12.3 kB");
}

TEST(Human, MomentsAsGo) {
  EXPECT_EQ(go_time(seconds(1795416834)), "2026-11-23 06:53:54 +0000 UTC");
  EXPECT_EQ(go_time(std::chrono::milliseconds(1795416830500)), "2026-11-23 06:53:50.5 +0000 UTC");
  EXPECT_EQ(unix_seconds(seconds(5)), 5);
  EXPECT_EQ(unix_seconds({}), -62135596800);
}

TEST(Yaml, NestsAndQuotesWhatWouldBeReadAsSomethingElse) {
  const Json value = {{"host", {{"arch", "x86_64"}, {"cpus", 2}, {"ok", "true"}, {"none", ""}}},
                      {"list", {{{"a", 1}, {"b", "x: y"}}, "z"}},
                      {"empty", Json::array()},
                      {"path", "/var"},
                      {"version", "4.1"}};
  EXPECT_EQ(to_yaml(value),
            "host:\n  arch: x86_64\n  cpus: 2\n  ok: \"true\"\n  none: \"\"\n"
            "list:\n- a: 1\n  b: \"x: y\"\n- z\n"
            "empty: []\npath: /var\nversion: \"4.1\"\n");
}

}  // namespace
}  // namespace still::cli
