#include <gtest/gtest.h>

#include "base/error.h"
#include "cli/output/checkpoint_summary.h"
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

checkpoint::Plan live_plan() {
  checkpoint::Plan plan;
  plan.container_name = "web";
  plan.writes_archive = true;
  return plan;
}

checkpoint::CheckpointResult taken_live() {
  checkpoint::CheckpointResult result;
  result.consistent = true;
  result.archive_bytes = uint64_t{3} << 20;
  result.cut.was_frozen = true;
  result.cut.thawed.monotonic = std::chrono::milliseconds(38);
  return result;
}

TEST(CheckpointSummary, SaysWhereHowLargeHowLongAndWhetherCertified) {
  EXPECT_EQ(checkpoint_summary(live_plan(), taken_live(), "web.tar"),
            "web stood still for 38.0 ms; its checkpoint (3.0MiB) is in web.tar, certified "
            "consistent");
  auto torn = taken_live();
  torn.consistent = false;
  auto plan = live_plan();
  plan.freezing = checkpoint::Freezing::kNone;
  EXPECT_EQ(checkpoint_summary(plan, torn, "-"),
            "web was not frozen; its checkpoint (3.0MiB) is on standard output, NOT certified "
            "consistent");
}

TEST(CheckpointSummary, SaysHowItComesBackFromTheStore) {
  EXPECT_EQ(checkpoint_summary(live_plan(), taken_live(), ""),
            "web stood still for 38.0 ms; its checkpoint (3.0MiB) is in the store, certified "
            "consistent; once it has ended, still restore web sets it back to this instant");
  checkpoint::Plan plan;
  plan.container_name = "web";
  plan.freezing = checkpoint::Freezing::kNotNeeded;
  checkpoint::CheckpointResult stopped;
  stopped.consistent = true;
  stopped.stored_bytes = uint64_t{98} << 20;
  EXPECT_EQ(
      checkpoint_summary(plan, stopped, ""),
      "web has ended; its memory (98.0MiB) is in the store: still restore web brings it back");
  plan.writes_archive = true;
  stopped.archive_bytes = uint64_t{3} << 20;
  EXPECT_EQ(checkpoint_summary(plan, stopped, "/srv/web.tar"),
            "web has ended; its checkpoint (3.0MiB) is in /srv/web.tar, certified consistent; "
            "beside that its memory (98.0MiB) is in the store: still restore web brings it back");
}

}  // namespace
}  // namespace still::cli
