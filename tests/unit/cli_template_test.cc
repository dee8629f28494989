#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "cli/output/json.h"
#include "cli/output/template.h"

namespace still::cli {
namespace {

using ::testing::HasSubstr;

const Json& thing() {
  static const Json value = Json::parse(R"({
    "Name": "db", "Size": 12, "Ratio": 0.5, "Running": true, "Paused": false, "Ports": null,
    "State": {"Status": "running", "Pid": 42},
    "Names": ["a", "b"], "Mounts": [{"Name": "data"}, {"Name": "logs"}], "None": [],
    "Labels": {"b.c": "2", "a": "1"}
  })");
  return value;
}

std::string render(const std::string& text) { return Template(text).render(thing()); }

std::string error_of(const std::string& text) {
  try {
    return "no error, but: " + render(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    return error.message();
  }
}

TEST(Template, PrintsFieldsAsGoDoes) {
  EXPECT_EQ(render("{{.Name}} {{.Size}} {{.Ratio}} {{.Running}}"), "db 12 0.5 true");
  EXPECT_EQ(render("{{.State.Status}}/{{ .State.Pid }}"), "running/42");
  EXPECT_EQ(render("{{.Names}} {{.Labels}} {{.Ports}}"), "[a b] map[a:1 b.c:2] <nil>");
}

TEST(Template, KeepsTextAndReadsEscapes) {
  EXPECT_EQ(render("plain } text"), "plain } text");
  EXPECT_EQ(render("a\\tb\\nc\\d"), "a\tb\nc\\d");
  EXPECT_EQ(render(""), "");
}

TEST(Template, PrintsJson) {
  EXPECT_EQ(render("{{json .State}}"), R"({"Status":"running","Pid":42})");
  EXPECT_EQ(render("{{json .Names}}"), R"(["a","b"])");
  EXPECT_EQ(render("{{.Name | json}}"), R"("db")");
}

TEST(Template, JsonOfBytesThatAreNoUtf8DoesNotFail) {
  const Json value = {{"Name", "\xff"}};
  EXPECT_EQ(Template("{{json .Name}}").render(value), "\"\xef\xbf\xbd\"");
}

TEST(Template, CallsFunctions) {
  EXPECT_EQ(render(R"({{index .Labels "b.c"}})"), "2");
  EXPECT_EQ(render(R"({{index .Labels "none"}})"), "");
  EXPECT_EQ(render("{{index .Names 1}}"), "b");
  EXPECT_EQ(render(R"({{join .Names ", "}})"), "a, b");
  EXPECT_EQ(render("{{len .Mounts}} {{upper .Name}} {{.Name | upper | lower}}"), "2 DB db");
  EXPECT_EQ(render(R"({{println .Name "x"}})"), "db x\n");
}

TEST(Template, DecidesByGosTruth) {
  EXPECT_EQ(render("{{if .Running}}up{{else}}down{{end}}"), "up");
  EXPECT_EQ(render("{{if .Paused}}up{{else}}down{{end}}"), "down");
  EXPECT_EQ(render("{{if .None}}x{{end}}{{if .Ports}}y{{end}}{{if .Names}}z{{end}}"), "z");
  EXPECT_EQ(render(R"({{if eq .Name "db"}}yes{{end}}{{if not .Paused}}!{{end}})"), "yes!");
}

TEST(Template, RepeatsForEveryElement) {
  EXPECT_EQ(render("{{range .Mounts}}{{.Name}};{{end}}"), "data;logs;");
  EXPECT_EQ(render("{{range .None}}x{{else}}nothing{{end}}"), "nothing");
  EXPECT_EQ(render("{{range .Names}}{{if eq . \"a\"}}first{{else}}{{.}}{{end}} {{end}}"),
            "first b ");
}

TEST(Template, TrimsSpaceWhereAsked) {
  EXPECT_EQ(render("a  {{- .Name -}}  b"), "adbb");
  EXPECT_EQ(render("{{range .Names -}}  {{.}}  {{- end}}"), "ab");
}

TEST(Template, SaysWhatIsWrong) {
  EXPECT_THAT(error_of("{{.Nome}}"), HasSubstr(".Nome"));
  EXPECT_THAT(error_of("{{.Name.First}}"), HasSubstr(".First"));
  EXPECT_THAT(error_of("{{.Name"), HasSubstr("{{ without }}"));
  EXPECT_THAT(error_of("{{}}"), HasSubstr("nothing to print"));
  EXPECT_THAT(error_of("{{if .Name}}x"), HasSubstr("without {{end}}"));
  EXPECT_THAT(error_of("x{{end}}"), HasSubstr("unexpected {{end}}"));
  EXPECT_THAT(error_of("{{nosuch .Name}}"), HasSubstr("\"nosuch\" not defined"));
  EXPECT_THAT(error_of("{{.Name .Size}}"), HasSubstr("no function"));
  EXPECT_THAT(error_of("{{index .Names 7}}"), HasSubstr("out of range: 7"));
  EXPECT_THAT(error_of("{{join .Name \",\"}}"), HasSubstr("wants a list"));
  EXPECT_THAT(error_of("{{json \"x}}"), HasSubstr("unterminated"));
  EXPECT_THAT(error_of("{{range .Name}}{{end}}"), HasSubstr("single value"));
}

}  // namespace
}  // namespace still::cli
