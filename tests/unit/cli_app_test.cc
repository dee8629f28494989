// The command line as a whole: what is parsed, and that every error is one line and 125.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"
#include "cli/app.h"
#include "cli/flags/container_flags.h"
#include "cli/flags/unsupported.h"

namespace still::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct Outcome {
  int code;
  std::string output;
  std::string errors;
};

Outcome still(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "still");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = run_program(static_cast<int>(arguments.size()), arguments.data());
  return {code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

void expect_error(const std::vector<const char*>& arguments, const std::string& text) {
  const Outcome outcome = still(arguments);
  EXPECT_EQ(outcome.code, 125);
  EXPECT_THAT(outcome.output, IsEmpty());
  EXPECT_THAT(outcome.errors, testing::StartsWith("Error: "));
  EXPECT_THAT(outcome.errors, HasSubstr(text));
  EXPECT_EQ(std::ranges::count(outcome.errors, '\n'), 1) << outcome.errors;
}

TEST(CommandLine, MistakesAreOneLineWithAHint) {
  expect_error({}, "missing command 'still COMMAND'");
  expect_error({"bogus"}, "unrecognized command 'still bogus'; see 'still --help'");
  expect_error({"container", "bogus"}, "unrecognized command 'still container bogus'");
  expect_error({"volume"}, "missing command 'still volume COMMAND'");
  expect_error({"ps", "--bogus"}, "unknown flag: --bogus; see 'still ps --help'");
  expect_error({"container", "ls", "-X"}, "unknown flag: -X; see 'still container ls --help'");
  expect_error({"--bogus", "ps"}, "unknown flag: --bogus; see 'still --help'");
  expect_error({"ps", "word"}, "unexpected argument \"word\"");
  expect_error({"run", "--bogus", "image"}, "unknown flag: --bogus; see 'still run --help'");
  expect_error({"ps", "--last", "many"}, "--last");
  expect_error({"--log-level", "loud", "ps"}, "unknown log level");
}

TEST(CommandLine, NearWordsAreOffered) {
  expect_error({"chekpoint"}, "did you mean 'checkpoint'? see 'still --help'");
  expect_error({"volume", "crate"}, "did you mean 'create'? see 'still volume --help'");
  expect_error({"checkpoint", "--exprt=x"}, "did you mean '--export'?");
  expect_error({"help", "chekpoint"}, "unrecognized command 'still chekpoint'");
  EXPECT_THAT(still({"--nothing-like-this"}).errors, Not(HasSubstr("did you mean")));
}

TEST(CommandLine, PodmansOtherFlagsAreNamedAsNotSupported) {
  expect_error({"run", "-p", "80:80", "image"}, "--publish is not supported");
  expect_error({"run", "--publish=80:80", "image"}, "--publish is not supported");
  expect_error({"run", "-dp", "80:80", "image"}, "--publish is not supported");
  expect_error({"run", "--restart=always", "image"}, "--restart is not supported");
  expect_error({"create", "--pod", "p", "image"}, "--pod is not supported");
}

TEST(CommandLine, HelpHasUsageAndExamples) {
  for (const std::vector<const char*>& arguments :
       std::vector<std::vector<const char*>>{{"run", "--help"}, {"container", "run", "--help"}}) {
    const Outcome outcome = still(arguments);
    EXPECT_EQ(outcome.code, 0);
    EXPECT_THAT(outcome.output, HasSubstr("run [flags] IMAGE [COMMAND [ARG...]]"));
    EXPECT_THAT(outcome.output, HasSubstr("Examples:\n  still run"));
    EXPECT_THAT(outcome.output, HasSubstr("--entrypoint"));
  }
}

TEST(CommandLine, HelpIsACommandToo) {
  EXPECT_EQ(still({"help"}).output, still({"--help"}).output);
  EXPECT_EQ(still({"help", "volume", "create"}).output, still({"volume", "create", "-h"}).output);
}

TEST(CommandLine, Version) {
  EXPECT_EQ(still({"--version"}).output, "still version " STILL_VERSION "\n");
}

// Every command, at whatever place, says how it is used.
void expect_help(const CLI::App& command) {
  EXPECT_THAT(command.help(), HasSubstr("Usage: still "));
  EXPECT_THAT(command.help(), Not(HasSubstr("{false}")));
  for (const std::string& line : split(command.help(), '\n')) {
    const bool is_in_columns = line.starts_with("  ") && !line.starts_with("  still ");
    EXPECT_TRUE(!is_in_columns || line.size() <= 80) << line;
  }
  EXPECT_FALSE(command.get_description().empty()) << command.get_name();
  const auto below = command.get_subcommands([](const CLI::App*) { return true; });
  const bool hidden = command.get_group().empty();
  if (below.empty() && !hidden) {
    EXPECT_THAT(command.help(), HasSubstr("Examples:\n  ")) << command.get_name();
  }
  for (const CLI::App* next : below) expect_help(*next);
}

TEST(CommandLine, EveryCommandHasHelpWithExamples) {
  Context context;
  const auto app = make_app(context);
  for (const CLI::App* command : app->get_subcommands([](const CLI::App*) { return true; })) {
    expect_help(*command);
  }
}

// --- words after the flags ---

class Words : public testing::Test {
 protected:
  std::vector<std::string> rest_of(std::vector<const char*> arguments) {
    CLI::App app("", "still");
    app.require_subcommand(1);
    app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    CLI::App& command = add_command(app, {"run", "", "", {}});
    add_command(app, {"ps", "", "", {}});
    add_list(command, "-e,--env", list_, "", "");
    add_value(command, "-u,--user", value_, "", "");
    command.add_flag("-d", flag_);
    stop_at_first_word(command);
    arguments.insert(arguments.begin(), {"still", "run"});
    app.parse(static_cast<int>(arguments.size()), arguments.data());
    return rest_of_line(command);
  }

  std::vector<std::string> list_;
  std::optional<std::string> value_;
  bool flag_ = false;
};

TEST_F(Words, FlagsAfterTheFirstWordBelongToTheCommand) {
  EXPECT_THAT(rest_of({"-d", "image", "sh", "-d", "--user", "x"}),
              ElementsAre("image", "sh", "-d", "--user", "x"));
  EXPECT_TRUE(flag_);
  EXPECT_FALSE(value_);
}

TEST_F(Words, NamesOfOurCommandsAreOrdinaryWords) {
  EXPECT_THAT(rest_of({"image", "ps", "run"}), ElementsAre("image", "ps", "run"));
}

TEST_F(Words, ListsTakeOneValueEachTime) {
  EXPECT_THAT(rest_of({"-e", "A=1", "--env", "B=2", "--env=C=3", "image"}), ElementsAre("image"));
  EXPECT_THAT(list_, ElementsAre("A=1", "B=2", "C=3"));
}

TEST_F(Words, TheLastOfSeveralValuesCounts) {
  EXPECT_THAT(rest_of({"-u", "a", "-u", "b", "image"}), ElementsAre("image"));
  EXPECT_EQ(value_, "b");
}

TEST_F(Words, ValuesKeepBrackets) {
  rest_of({"-e", "[a,b]", "-u", R"(["x","y"])", "image"});
  EXPECT_THAT(list_, ElementsAre("[a,b]"));
  EXPECT_EQ(value_, R"(["x","y"])");
}

TEST_F(Words, DoubleDashEndsTheFlags) {
  EXPECT_THAT(rest_of({"-d", "--", "image", "-d"}), ElementsAre("image", "-d"));
}

TEST_F(Words, AnEmptyWordStays) {
  EXPECT_THAT(rest_of({"image", "sh", ""}), ElementsAre("image", "sh", ""));
}

// --- a directory or an image, and the command ---

// What run makes of its words.
engine::ContainerConfig configured(std::vector<const char*> arguments) {
  CLI::App app("", "still");
  app.set_help_flag("--help");
  app.require_subcommand(1);
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  CLI::App& command = add_command(app, {"run", "", "", {}});
  ContainerFlags flags;
  add_container_flags(command, flags);
  stop_at_first_word(command);
  arguments.insert(arguments.begin(), {"still", "run"});
  app.parse(static_cast<int>(arguments.size()), arguments.data());
  Context context;
  return make_config(context, flags, rest_of_line(command));
}

TEST(Rootfs, MayBeFollowedByFlags) {
  const auto config =
      configured({"-t", "--rootfs", "/usr", "-v", "data:/x", "--init", "ls", "-l", "--rootfs"});
  EXPECT_EQ(config.rootfs, "/usr");
  EXPECT_THAT(config.arguments, ElementsAre("ls", "-l", "--rootfs"));
  ASSERT_EQ(config.volumes.size(), 1U);
  EXPECT_TRUE(config.terminal && config.init);
}

TEST(Rootfs, IsASwitchAsPodmansToo) {
  for (const std::vector<const char*>& line : std::vector<std::vector<const char*>>{
           {"--rootfs", "-v", "data:/x", "/usr", "ls", "-l"},
           {"--rootfs=true", "-v", "data:/x", "/usr", "ls", "-l"},
           {"-v", "data:/x", "--rootfs", "--", "/usr", "ls", "-l"},
           {"-v", "data:/x", "--rootfs", "/usr", "ls", "-l"},
           {"-v", "data:/x", "--rootfs=/usr", "--", "ls", "-l"}}) {
    const auto config = configured(line);
    EXPECT_EQ(config.rootfs, "/usr");
    EXPECT_THAT(config.arguments, ElementsAre("ls", "-l"));
    EXPECT_EQ(config.volumes.size(), 1U);
  }
}

TEST(Rootfs, LeavesItsArgumentsToAnEntrypoint) {
  EXPECT_THAT(configured({"--entrypoint", "ls", "--rootfs", "/usr", "-l"}).arguments,
              ElementsAre("ls", "-l"));
  EXPECT_THAT(configured({"--rootfs", "--entrypoint", "ls", "/usr", "-l"}).arguments,
              ElementsAre("ls", "-l"));
  EXPECT_THAT(configured({"--rootfs", "/usr", "--entrypoint", "ls", "--", "-l"}).arguments,
              ElementsAre("ls", "-l"));
}

TEST(Rootfs, ACommandThatLooksLikeAFlagIsRefused) {
  expect_error({"run", "--rootfs", "-v", "data:/x", "/usr", "-l"}, "begins with \"-\": -l");
  expect_error({"create", "--rootfs", "/usr", "-v", "data:/x", "--", "-l"},
               "begins with \"-\": -l");
  expect_error({"run", "--rootfs", "/usr", "--bogus", "ls"}, "unknown flag: --bogus");
  expect_error({"run", "--rootfs", "/usr"}, "command");
  expect_error({"run", "--rootfs"}, "no image named");
}

}  // namespace
}  // namespace still::cli
