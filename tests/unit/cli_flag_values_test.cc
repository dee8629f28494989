#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <limits>

#include "base/error.h"
#include "cli/flags/flag_values.h"
#include "os/files.h"
#include "os/temp_dir.h"

namespace still::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

// The kind of the error that reading the value ends with.
template <typename Read>
std::optional<ErrorKind> kind_of(const Read& read) {
  try {
    read();
    return std::nullopt;
  } catch (const Error& error) {
    return error.kind();
  }
}

engine::VolumeMount volume_of(const std::string& value) {
  return std::get<engine::VolumeMount>(parse_volume(value));
}

engine::BindMount bind_mount_of(const std::string& value) {
  return std::get<engine::BindMount>(parse_volume(value));
}

TEST(VolumeFlag, NamedVolume) {
  const auto mount = volume_of("data:/var/lib/redis");
  EXPECT_EQ(mount.volume, "data");
  EXPECT_EQ(mount.destination, "/var/lib/redis");
  EXPECT_FALSE(mount.read_only);
}

TEST(VolumeFlag, Options) {
  EXPECT_TRUE(volume_of("data:/d:ro").read_only);
  EXPECT_TRUE(volume_of("data:/d:z,ro").read_only);
  EXPECT_FALSE(volume_of("data:/d:rw,Z").read_only);
  EXPECT_FALSE(bind_mount_of("/tmp:/d:bind").recursive);
  EXPECT_TRUE(bind_mount_of("/tmp:/d").recursive);
}

TEST(VolumeFlag, PathAloneIsAnonymous) {
  EXPECT_EQ(volume_of("/cache").volume, "");
  EXPECT_EQ(volume_of("/cache").destination, "/cache");
}

TEST(VolumeFlag, DirectoryOfTheHost) {
  const TempDir directory("/tmp", "still-flag-");
  const auto mount = bind_mount_of(directory.path().string() + ":/d:ro");
  EXPECT_EQ(mount.source, directory.path());
  EXPECT_EQ(mount.destination, "/d");
  EXPECT_TRUE(mount.read_only);
}

TEST(VolumeFlag, RelativeDirectoryBecomesAbsolute) {
  EXPECT_EQ(bind_mount_of("./:/d").source, (std::filesystem::current_path() / "").string());
}

TEST(VolumeFlag, RefusesWhatIsNoVolume) {
  for (const char* value : {"", ":", "a:", ":/b", "a:b", "a:/b:ro:x", "data:/", "relative"}) {
    EXPECT_EQ(kind_of([&] { parse_volume(value); }), ErrorKind::kUsage) << value;
  }
  EXPECT_EQ(kind_of([] { parse_volume("a:/b:U"); }), ErrorKind::kUnsupported);
  EXPECT_EQ(kind_of([] { parse_volume("/no/such/dir:/b"); }), ErrorKind::kNotFound);
}

TEST(TmpfsFlag, OptionsAreAList) {
  EXPECT_EQ(parse_tmpfs("/run").destination, "/run");
  EXPECT_THAT(parse_tmpfs("/run").options, IsEmpty());
  EXPECT_THAT(parse_tmpfs("/run:size=64m,mode=1777").options, ElementsAre("size=64m", "mode=1777"));
  EXPECT_EQ(kind_of([] { parse_tmpfs("run"); }), ErrorKind::kUsage);
}

TEST(UlimitFlag, OneOrTwoNumbers) {
  constexpr auto unlimited = std::numeric_limits<uint64_t>::max();
  EXPECT_THAT(parse_ulimit("nofile=1024"), Pair("RLIMIT_NOFILE", Pair(1024, 1024)));
  EXPECT_THAT(parse_ulimit("core=0:-1"), Pair("RLIMIT_CORE", Pair(0, unlimited)));
  for (const char* value : {"nofile", "nofile=", "nofile=2:1", "nofile=1:2:3", "foo=1", "=1"}) {
    EXPECT_EQ(kind_of([&] { parse_ulimit(value); }), ErrorKind::kUsage) << value;
  }
}

TEST(LabelFlag, ValueMayBeAbsentAndMayHoldEqualSigns) {
  EXPECT_THAT(parse_label("a"), Pair("a", ""));
  EXPECT_THAT(parse_label("a=b=c"), Pair("a", "b=c"));
  EXPECT_EQ(kind_of([] { parse_label("=b"); }), ErrorKind::kUsage);
}

TEST(EnvironmentFlag, TakesOurOwnValueWhereNoneIsGiven) {
  ::setenv("STILL_TEST_VARIABLE", "here", 1);
  ::unsetenv("STILL_TEST_ABSENT");
  EXPECT_EQ(parse_environment("A=b"), "A=b");
  EXPECT_EQ(parse_environment("A="), "A=");
  EXPECT_EQ(parse_environment("STILL_TEST_VARIABLE"), "STILL_TEST_VARIABLE=here");
  EXPECT_EQ(parse_environment("STILL_TEST_ABSENT"), std::nullopt);
  EXPECT_EQ(kind_of([] { parse_environment("=b"); }), ErrorKind::kUsage);
}

TEST(EnvironmentFile, LeavesCommentsAndBlankLinesOut) {
  const TempDir directory("/tmp", "still-flag-");
  const auto file = directory.path() / "env";
  write_file_atomically(file, "# comment\nA=1\n\nB=two words\n", 0600);
  EXPECT_THAT(read_environment_file(file), ElementsAre("A=1", "B=two words"));
}

TEST(EntrypointFlag, OneProgramOrAJsonList) {
  EXPECT_THAT(parse_entrypoint("/bin/sh"), ElementsAre("/bin/sh"));
  EXPECT_THAT(parse_entrypoint(R"(["sh", "-c"])"), ElementsAre("sh", "-c"));
  EXPECT_THAT(parse_entrypoint(""), IsEmpty());
  EXPECT_EQ(kind_of([] { parse_entrypoint("[1]"); }), ErrorKind::kUsage);
}

TEST(ChoiceFlags, KnownValuesOnly) {
  EXPECT_EQ(parse_network("host"), "host");
  EXPECT_EQ(kind_of([] { parse_network("bridge"); }), ErrorKind::kUnsupported);
  EXPECT_EQ(parse_log_driver("json-file"), "k8s-file");
  EXPECT_EQ(kind_of([] { parse_log_driver("journald"); }), ErrorKind::kUnsupported);
  EXPECT_FALSE(parse_cgroups("disabled"));
  EXPECT_EQ(kind_of([] { parse_cgroups("split"); }), ErrorKind::kUnsupported);
  EXPECT_EQ(parse_security_option("no-new-privileges:true"), "no-new-privileges");
  EXPECT_EQ(parse_security_option("label=disable"), std::nullopt);
}

TEST(LimitFlags, ZeroMeansNone) {
  EXPECT_EQ(parse_pids_limit("100"), 100);
  EXPECT_EQ(parse_pids_limit("-1"), std::nullopt);
  EXPECT_EQ(parse_cpus("1.5"), 1.5);
  EXPECT_EQ(parse_cpus("0"), std::nullopt);
  EXPECT_EQ(kind_of([] { parse_cpus("-1"); }), ErrorKind::kUsage);
  EXPECT_EQ(kind_of([] { parse_cpus("nan"); }), ErrorKind::kUsage);
  EXPECT_EQ(parse_seconds("0", "--time"), 0);
  EXPECT_EQ(kind_of([] { parse_seconds("-1", "--time"); }), ErrorKind::kUsage);
}

TEST(ErrorsOfFlags, NameTheFlagAndTheValue) {
  try {
    parse_ulimit("foo");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("--ulimit"));
    EXPECT_THAT(error.message(), HasSubstr("\"foo\""));
    EXPECT_THAT(error.hint(), HasSubstr("NAME=SOFT[:HARD]"));
  }
}

}  // namespace
}  // namespace still::cli
