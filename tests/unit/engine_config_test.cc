// Container configurations as JSON, image configurations, and what becomes of both.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "engine/container/container_config.h"
#include "engine/container/mounts.h"
#include "engine/container/security.h"
#include "engine/image/image_config.h"
#include "engine/image/image_names.h"
#include "support.h"

namespace still::engine {
namespace {

using test::kind_thrown_by;
using test::message_thrown_by;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

ContainerConfig full_config() {
  ContainerConfig config;
  config.image = "redis";
  config.image_id = "abc";
  config.rootfs = "/root \xc3\xa4";
  config.arguments = {"sh", "-c", "echo \"x\""};
  config.environment = {"A=b"};
  config.directory = "/data";
  config.user = "7:8";
  config.hostname = "h";
  config.terminal = config.open_stdin = config.init = config.read_only = true;
  config.remove_when_done = true;
  config.volumes = {{"v", "/v", true, "/real/v"}};
  config.binds = {{"/src", "/dst", false, false, "/real/dst", "/real/src"}};
  config.tmpfs = {{"/t", {"size=1m"}, "/real/t"}};
  config.shm_size_bytes = uint64_t{1} << 40;
  config.network = "host";
  config.runtime = "runc";
  config.cgroups = false;
  config.cgroup_parent = "/p";
  config.cgroup = "/p/abc-1";
  config.log_driver = "none";
  config.add_capabilities = {"NET_ADMIN"};
  config.drop_capabilities = {"ALL"};
  config.security_options = {"no-new-privileges"};
  config.rlimits = {{"RLIMIT_NOFILE", {1, ~uint64_t{0}}}};
  config.memory_limit_bytes = int64_t{1} << 50;
  config.pids_limit = -1;
  config.cpus = 1.5;
  config.labels = {{"k", "v"}};
  config.stop_signal = 9;
  config.stop_timeout_seconds = 3;
  return config;
}

TEST(ContainerConfigJson, ComesBackWhole) {
  const std::string json = to_json(full_config());
  const ContainerConfig read = parse_container_config(json);
  // Two equal texts: every field is written, and was read.
  EXPECT_EQ(to_json(read), json);
  EXPECT_EQ(read.binds[0].source, "/src");
  EXPECT_FALSE(read.binds[0].recursive);
  EXPECT_EQ(source_of(read.binds[0]), "/real/src");
  EXPECT_EQ(place_of(read.volumes[0]), "/real/v");
  EXPECT_EQ(read.rlimits.at("RLIMIT_NOFILE").second, ~uint64_t{0});
  EXPECT_EQ(read.memory_limit_bytes, int64_t{1} << 50);
  EXPECT_EQ(read.cpus, 1.5);
}

TEST(MountPlaces, AreWhatTheKernelCallsThem) {
  for (const auto& [given, canonical] : std::map<std::string, std::string>{
           {"/a/../b", "/b"}, {"//x/", "/x"}, {"/x/.", "/x"}, {"/../y", "/y"}, {"/z", "/z"}}) {
    EXPECT_EQ(canonical_destination(given), canonical);
  }
  const test::Scratch scratch;
  scratch.make("run/deep");
  std::filesystem::create_symlink("/run", scratch / "link");
  std::filesystem::create_symlink("../../../link/deep", scratch / "run/out");
  ContainerConfig config;
  config.volumes = {{.volume = "v", .destination = "/link/new/sub"}};
  config.binds = {{.source = "/src", .destination = "/run/out/file"},
                  {.source = "/src", .destination = "/known", .place = "/once"}};
  config.tmpfs = {{.destination = "/none", .options = {}}};
  const Fd root = test::open_dir(scratch.path());
  EXPECT_TRUE(find_places(config, root));
  EXPECT_EQ(config.volumes[0].place, "/run/new/sub");
  EXPECT_EQ(config.volumes[0].destination, "/link/new/sub");
  EXPECT_EQ(config.binds[0].place, "/run/deep/file");
  EXPECT_EQ(config.binds[1].place, "/once");
  EXPECT_EQ(config.tmpfs[0].place, "/none");
  // Once known they stay.
  std::filesystem::remove(scratch / "link");
  EXPECT_FALSE(find_places(config, root));
  EXPECT_EQ(config.volumes[0].place, "/run/new/sub");

  config.tmpfs[0].place = "/once";
  EXPECT_EQ(test::kind_thrown_by([&] { find_places(config, root); }), ErrorKind::kUsage);
}

// A new member of the struct that is forgotten in the JSON form is found by this number.
TEST(ContainerConfigJson, HasAllKeys) { EXPECT_EQ(nlohmann::json::parse(to_json({})).size(), 35u); }

TEST(ContainerConfigJson, DefaultsStayForMissingKeys) {
  const ContainerConfig read = parse_container_config("{}");
  EXPECT_EQ(to_json(read), to_json({}));
  EXPECT_EQ(read.memory_limit_bytes, std::nullopt);
}

TEST(ContainerConfigJson, WrongValuesAreRefusedByKey) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"image": 1})", "image"},
      {R"({"terminal": "yes"})", "terminal"},
      {R"({"arguments": "sh"})", "arguments"},
      {R"({"arguments": ["a", 1]})", "arguments"},
      {R"({"volumes": {}})", "volumes"},
      {R"({"volumes": [1]})", "volumes"},
      {R"({"volumes": [{"readOnly": 1}]})", "readOnly"},
      {R"({"shmSizeBytes": -1})", "shmSizeBytes"},
      {R"({"shmSizeBytes": 1.5})", "shmSizeBytes"},
      {R"({"stopSignal": 99999999999})", "stopSignal"},
      {R"({"pidsLimit": 18446744073709551615})", "pidsLimit"},
      {R"({"rlimits": {"RLIMIT_NOFILE": [1]}})", "rlimits"},
      {R"({"labels": ["a"]})", "labels"},
      {R"({"cpus": "2"})", "cpus"},
      {R"({"environment": ["A=\u0000"]})", "environment"},
  };
  for (const auto& [json, key] : cases) {
    EXPECT_THAT(message_thrown_by([&] { parse_container_config(json); }),
                HasSubstr(std::string("\"") + key + "\""))
        << json;
  }
  for (const char* json : {"", "[]", "{", "null", "{}x", "\xff"}) {
    EXPECT_EQ(kind_thrown_by([&] { parse_container_config(json); }), ErrorKind::kCorrupt) << json;
  }
}

constexpr const char* kRedis = R"({"architecture":"amd64","config":{
  "Entrypoint":["/entry.sh"],"Cmd":["redis-server"],"Env":["PATH=/bin","V=7"],"WorkingDir":"/data",
  "User":"redis","StopSignal":"SIGQUIT","Volumes":{"/data":{}},"ExposedPorts":{"6379/tcp":{}},
  "Labels":{"a":"image","b":"image"}}})";

TEST(ImageConfiguration, IsRead) {
  const ImageConfig image = parse_image_config(kRedis);
  EXPECT_THAT(image.entrypoint, ElementsAre("/entry.sh"));
  EXPECT_THAT(image.command, ElementsAre("redis-server"));
  EXPECT_EQ(image.user, "redis");
  EXPECT_THAT(image.volumes, ElementsAre("/data"));
  EXPECT_THAT(image.exposed_ports, ElementsAre("6379/tcp"));
  EXPECT_THAT(parse_image_config(R"({"config":{"Cmd":null}})").command, IsEmpty());
  EXPECT_THAT(parse_image_config("{}").command, IsEmpty());
}

TEST(ImageConfiguration, DamagedOnesAreRefused) {
  for (const char* json : {"", "[]", R"({"config":[]})", R"({"config":{"Cmd":"sh"}})",
                           R"({"config":{"Cmd":[1]}})", R"({"config":{"User":1}})",
                           R"({"config":{"Volumes":[]}})", R"({"config":{"Labels":{"a":1}}})"}) {
    EXPECT_EQ(kind_thrown_by([&] { parse_image_config(json); }), ErrorKind::kCorrupt) << json;
  }
}

TEST(ImageDefaults, FillWhatNobodySaid) {
  ContainerConfig config;
  config.labels = {{"a", "user"}};
  apply_image_defaults(config, parse_image_config(kRedis), {});
  EXPECT_THAT(config.arguments, ElementsAre("/entry.sh", "redis-server"));
  EXPECT_THAT(config.environment, ElementsAre("PATH=/bin", "V=7"));
  EXPECT_EQ(config.directory, "/data");
  EXPECT_EQ(config.user, "redis");
  EXPECT_EQ(config.stop_signal, 3);
  EXPECT_THAT(config.labels, ElementsAre(Pair("a", "user"), Pair("b", "image")));
  ASSERT_EQ(config.volumes.size(), 1u);
  EXPECT_EQ(config.volumes[0].volume, "");
  EXPECT_EQ(config.volumes[0].destination, "/data");
}

TEST(ImageDefaults, YieldToTheCommandLine) {
  ContainerConfig config;
  config.binds = {{"/host", "/data"}};
  ImageOverrides given;
  given.command = {"redis-cli"};
  given.environment = {"V=8", "W=1"};
  given.directory = "/";
  given.user = "0";
  given.stop_signal = 15;
  apply_image_defaults(config, parse_image_config(kRedis), given);
  EXPECT_THAT(config.arguments, ElementsAre("/entry.sh", "redis-cli"));
  EXPECT_THAT(config.environment, ElementsAre("PATH=/bin", "V=8", "W=1"));
  EXPECT_EQ(config.directory, "/");
  EXPECT_EQ(config.user, "0");
  EXPECT_EQ(config.stop_signal, 15);
  EXPECT_THAT(config.volumes, IsEmpty());
}

TEST(ImageDefaults, EntryPointMakesTheCommandVoid) {
  ContainerConfig config;
  apply_image_defaults(config, parse_image_config(kRedis), {.entrypoint = {{"sh"}}});
  EXPECT_THAT(config.arguments, ElementsAre("sh"));
  apply_image_defaults(config, parse_image_config(kRedis),
                       {.entrypoint = {{""}}, .command = {"ls"}});
  EXPECT_THAT(config.arguments, ElementsAre("ls"));
  EXPECT_EQ(kind_thrown_by([&] {
              apply_image_defaults(config, parse_image_config(kRedis),
                                   {.entrypoint = std::vector<std::string>{}});
            }),
            ErrorKind::kUsage);
}

TEST(ImageChanges, AreApplied) {
  ImageConfig image;
  for (const char* change : {"CMD [\"a\",\"b\"]", "ENTRYPOINT run it", "ENV A=1", "env A=\"2 3\"",
                             "LABEL l=m", "LABEL l=n", "WORKDIR /w", "USER 7", "STOPSIGNAL SIGINT",
                             "VOLUME /v", "VOLUME [\"/x\", \"/y\"]", "EXPOSE 80/tcp 81"}) {
    apply_change(image, change);
  }
  EXPECT_THAT(image.command, ElementsAre("a", "b"));
  EXPECT_THAT(image.entrypoint, ElementsAre("/bin/sh", "-c", "run it"));
  EXPECT_THAT(image.environment, ElementsAre("A=2 3"));
  EXPECT_THAT(image.labels, ElementsAre(Pair("l", "n")));
  EXPECT_THAT(image.volumes, ElementsAre("/v", "/x", "/y"));
  EXPECT_THAT(image.exposed_ports, ElementsAre("80/tcp", "81"));
  EXPECT_EQ(image.stop_signal, "SIGINT");
  for (const char* change : {"", "CMD", "RUN x", "ENV", "ENV A", "STOPSIGNAL NONE", "LABEL =x"}) {
    EXPECT_EQ(kind_thrown_by([&] { apply_change(image, change); }), ErrorKind::kUsage) << change;
  }
}

TEST(ImageConfiguration, RoundTripsThroughItsJson) {
  const ImageConfig image = parse_image_config(kRedis);
  const std::string json = build_image_config(image, {"aa", "bb"}, "2026-01-01T00:00:00Z");
  const ImageConfig read = parse_image_config(json);
  EXPECT_EQ(read.entrypoint, image.entrypoint);
  EXPECT_EQ(read.volumes, image.volumes);
  EXPECT_EQ(read.labels, image.labels);
  EXPECT_THAT(nlohmann::json::parse(json)["rootfs"]["diff_ids"],
              ElementsAre("sha256:aa", "sha256:bb"));
}

TEST(ImageName, IsCompleted) {
  EXPECT_EQ(full_image_name("redis"), "localhost/redis:latest");
  EXPECT_EQ(full_image_name("redis:7"), "localhost/redis:7");
  EXPECT_EQ(full_image_name("team/redis"), "localhost/team/redis:latest");
  EXPECT_EQ(full_image_name("quay.io/a/b"), "quay.io/a/b:latest");
  EXPECT_EQ(full_image_name("reg:5000/b:1"), "reg:5000/b:1");
  EXPECT_EQ(full_docker_name("redis:7"), "docker.io/library/redis:7");
  EXPECT_EQ(full_docker_name("team/redis"), "docker.io/team/redis:latest");
  for (const char* name : {"", "a b", "/a", "a/", "a//b", "../x", "-a", "a\n"}) {
    EXPECT_EQ(kind_thrown_by([&] { full_image_name(name); }), ErrorKind::kUsage) << name;
  }
}

TEST(SecurityOptions, AreUnderstood) {
  ContainerConfig config;
  EXPECT_TRUE(security_of(config).seccomp);
  config.security_options = {"no-new-privileges", "seccomp=unconfined"};
  EXPECT_TRUE(security_of(config).no_new_privileges);
  EXPECT_FALSE(security_of(config).seccomp);
  config.security_options = {"apparmor=x"};
  EXPECT_EQ(kind_thrown_by([&] { security_of(config); }), ErrorKind::kUnsupported);
}

TEST(Capabilities, AreAddedAndDropped) {
  ContainerConfig config;
  config.add_capabilities = {"net_admin"};
  config.drop_capabilities = {"CAP_CHOWN"};
  const auto changed = effective_capabilities(config);
  EXPECT_THAT(changed, Contains("CAP_NET_ADMIN"));
  EXPECT_THAT(changed, Contains("CAP_KILL"));
  EXPECT_THAT(changed, Not(Contains("CAP_CHOWN")));
  config.drop_capabilities = {"ALL"};
  EXPECT_THAT(effective_capabilities(config), ElementsAre("CAP_NET_ADMIN"));
  config.add_capabilities = {"NONSENSE"};
  EXPECT_EQ(kind_thrown_by([&] { effective_capabilities(config); }), ErrorKind::kUsage);
}

}  // namespace
}  // namespace still::engine
