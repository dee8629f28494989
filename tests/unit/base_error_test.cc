// Errors and the messages that they become.
#include <gtest/gtest.h>

#include <cerrno>

#include "base/error.h"
#include "base/log.h"
#include "support.h"

namespace still {
namespace {

using test::kind_thrown_by;

TEST(Error, OfASystemCallKeepsItsNumber) {
  const Error error = Error::system(ENOENT, "cannot open /x");
  EXPECT_EQ(error.kind(), ErrorKind::kSystem);
  EXPECT_EQ(error.error_number(), ENOENT);
  EXPECT_EQ(error.message(), "cannot open /x: No such file or directory");
  EXPECT_STREQ(error.what(), error.message().c_str());
}

TEST(Error, ContextGrowsOnTheWayUp) {
  const Error error = Error(ErrorKind::kCorrupt, "bad byte", "copy it again").in("a").in("b");
  EXPECT_EQ(error.message(), "b: a: bad byte");
  EXPECT_EQ(error.hint(), "copy it again");
  EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
  EXPECT_EQ(Error::system(EIO, "x").in("y").error_number(), EIO);
}

TEST(Error, AHintCanBeReplaced) {
  const Error error = Error(ErrorKind::kUsage, "no", "first").with_hint("second");
  EXPECT_EQ(error.hint(), "second");
  EXPECT_EQ(error.message(), "no");
}

TEST(Error, ExitCodesArePodmansAndThoseOfShells) {
  EXPECT_EQ(exit_code(Error(ErrorKind::kCannotExecute, "")), 126);
  EXPECT_EQ(exit_code(Error(ErrorKind::kCommandMissing, "")), 127);
  EXPECT_EQ(exit_code(Error::interrupted(SIGTERM, "nothing was kept")), 143);
  for (const auto kind : {ErrorKind::kUsage, ErrorKind::kNotFound, ErrorKind::kSystem,
                          ErrorKind::kRuntime, ErrorKind::kInternal}) {
    EXPECT_EQ(exit_code(Error(kind, "")), 125);
  }
}

class Log : public testing::Test {
 protected:
  ~Log() override { set_log_level(LogLevel::kWarning); }

  template <typename Call>
  static std::string written_by(Call call) {
    testing::internal::CaptureStderr();
    call();
    return testing::internal::GetCapturedStderr();
  }
};

TEST_F(Log, WritesOneLineAMessage) {
  EXPECT_EQ(written_by([] { warn("mind this"); }), "Warning: mind this\n");
  EXPECT_EQ(written_by([] { log(LogLevel::kError, "no"); }), "Error: no\n");
}

TEST_F(Log, DropsWhatIsBelowItsLevel) {
  EXPECT_EQ(written_by([] { info("quiet"); }), "");
  set_log_level(LogLevel::kDebug);
  EXPECT_EQ(written_by([] { debug("loud"); }), "debug: loud\n");
  set_log_level(LogLevel::kError);
  EXPECT_EQ(written_by([] { warn("quiet"); }), "");
}

TEST_F(Log, LevelsHaveNames) {
  EXPECT_EQ(parse_log_level("error"), LogLevel::kError);
  EXPECT_EQ(parse_log_level("warn"), LogLevel::kWarning);
  EXPECT_EQ(parse_log_level("info"), LogLevel::kInfo);
  EXPECT_EQ(parse_log_level("debug"), LogLevel::kDebug);
  EXPECT_EQ(kind_thrown_by([] { parse_log_level("loud"); }), ErrorKind::kUsage);
}

}  // namespace
}  // namespace still
