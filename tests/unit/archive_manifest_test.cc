#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "archive/manifest.h"
#include "support.h"

namespace still::archive {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

Manifest example() {
  return {.engine = "podman",
          .container_id = "abc",
          .container_name = "web",
          .image = "docker.io/library/redis:7",
          .runtime = "crun",
          .versions = {{"still", "0.1.0"}, {"criu", "4.1.1"}},
          .architecture = "x86_64",
          .cgroup_version = "v2",
          .cgroup = "/libpod/abc",
          .live = true,
          .consistent = true,
          .inconsistent_because = {},
          .left_out = {"12 (sleep)"},
          .memory_cut = "stock",
          .memory_cut_because = "asked for",
          .frozen = {1'767'225'600'123'456'789ns, 1ns},
          .dump_start = {2ns, 3ns},
          .dump_end = {4ns, 5ns},
          .cut_end = {6ns, 7ns},
          .thawed = {8ns, 9ns},
          .pause = 38'200'000ns,
          .trees = {{.name = "volume:data",
                     .member = "volumes/data.tar",
                     .method = "copy",
                     .files = 12,
                     .bytes = uint64_t{1} << 60,
                     .foreign_writers = {"a\xff\n"},
                     .sockets = {"run/s\xc3\xa4"},
                     .privileged = {.devices = {.count = 12, .first = {"n\xff"}}, .trusted = {}}}},
          .members = {{"checkpoint/", {.size_bytes = 0, .sha256 = "e3b0"}},
                      {"checkpoint/core-1.img", {.size_bytes = 42, .sha256 = "ff"}}}};
}

TEST(Manifest, ComesBackAsItWas) {
  const Manifest manifest = parse_manifest(to_json(example()));
  EXPECT_EQ(manifest.engine, "podman");
  EXPECT_EQ(manifest.cgroup, "/libpod/abc");
  EXPECT_EQ(manifest.container_id, "abc");
  EXPECT_EQ(manifest.versions.at("criu"), "4.1.1");
  EXPECT_TRUE(manifest.live);
  EXPECT_TRUE(manifest.consistent);
  EXPECT_THAT(manifest.left_out, ElementsAre("12 (sleep)"));
  EXPECT_EQ(manifest.frozen.wall, 1'767'225'600'123'456'789ns);
  EXPECT_EQ(manifest.thawed.monotonic, 9ns);
  EXPECT_EQ(manifest.pause, 38'200'000ns);
  EXPECT_EQ(manifest.trees.at(0).bytes, uint64_t{1} << 60);
  EXPECT_EQ(manifest.trees.at(0).privileged.devices.count, 12);
  EXPECT_TRUE(manifest.trees.at(0).privileged.trusted.empty());
  EXPECT_EQ(manifest.members.at("checkpoint/core-1.img").size_bytes, 42);
  EXPECT_EQ(manifest.members.at("checkpoint/core-1.img").sha256, "ff");
}

TEST(Manifest, IsTextWhateverBytesNamesHave) {
  const Manifest manifest = parse_manifest(to_json(example()));
  EXPECT_THAT(manifest.trees.at(0).foreign_writers, ElementsAre("a\\xff\\n"));
  EXPECT_THAT(manifest.trees.at(0).sockets, ElementsAre("run/s\\xc3\\xa4"));
  EXPECT_THAT(manifest.trees.at(0).privileged.devices.first, ElementsAre("n\\xff"));
  Manifest strange = example();
  strange.image = "rootfs:/tmp/\xff";
  EXPECT_THAT(parse_manifest(to_json(strange)).image, HasSubstr("rootfs:/tmp/"));
}

TEST(Manifest, IgnoresKeysThatItDoesNotKnow) {
  json document = json::parse(to_json(example()));
  document["later"] = {{"more", 1}};
  EXPECT_EQ(parse_manifest(document.dump()).container_name, "web");
}

TEST(Manifest, RefusesOtherVersions) {
  for (const int version : {0, -1, kFormatVersion + 1}) {
    json document = json::parse(to_json(example()));
    document["format_version"] = version;
    EXPECT_EQ(test::kind_thrown_by([&] { parse_manifest(document.dump()); }),
              ErrorKind::kUnsupported)
        << version;
  }
}

TEST(Manifest, RefusesEveryMissingOrMistypedKey) {
  // Informative, and not in archives of before.
  constexpr std::array<std::string_view, 5> kMayBeAbsent = {"memory_cut", "memory_cut_because",
                                                            "left_out", "engine", "cgroup"};
  const json whole = json::parse(to_json(example()));
  for (const auto& [key, value] : whole.items()) {
    json missing = whole;
    missing.erase(key);
    json mistyped = whole;
    mistyped[key] =
        value.is_array() || value.is_object() ? json("text") : json::array({json::object()});
    if (std::ranges::contains(kMayBeAbsent, key)) {
      parse_manifest(missing.dump());
    } else {
      EXPECT_EQ(test::kind_thrown_by([&] { parse_manifest(missing.dump()); }), ErrorKind::kCorrupt)
          << key;
    }
    EXPECT_EQ(test::kind_thrown_by([&] { parse_manifest(mistyped.dump()); }), ErrorKind::kCorrupt)
        << key;
  }
}

TEST(Manifest, OfAnArchiveOfBeforeIsOfStillAndNamesNoCgroup) {
  json old = json::parse(to_json(example()));
  old.erase("engine");
  old.erase("cgroup");
  EXPECT_EQ(parse_manifest(old.dump()).engine, "still");
  EXPECT_EQ(parse_manifest(old.dump()).cgroup, std::nullopt);
}

TEST(Manifest, RefusesACgroupThatIsNoPath) {
  json forged = json::parse(to_json(example()));
  for (const char* path : {"libpod", "/a/../b", "/..", "/a//b", "/"}) {
    forged["cgroup"] = path;
    EXPECT_EQ(test::kind_thrown_by([&] { parse_manifest(forged.dump()); }), ErrorKind::kCorrupt)
        << path;
  }
  forged["cgroup"] = "";
  EXPECT_EQ(parse_manifest(forged.dump()).cgroup, "");
}

TEST(Manifest, RefusesNumbersThatAreNotWhole) {
  for (const char* number : {"1.5", "1e3", "179561361245346666666666666666666666666666"}) {
    std::string text = to_json(example());
    const std::string key = "\"pause_ns\": ";
    const size_t start = text.find(key) + key.size();
    text.replace(start, text.find_first_not_of("0123456789", start) - start, number);
    EXPECT_EQ(test::kind_thrown_by([&] { parse_manifest(text); }), ErrorKind::kCorrupt) << number;
  }
}

TEST(Manifest, RefusesWhatIsNoJson) {
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[]"), std::string("null"),
        std::string("\xff"), to_json(example()) + "x"}) {
    EXPECT_EQ(test::kind_thrown_by([&] { parse_manifest(text); }), ErrorKind::kCorrupt) << text;
  }
}

TEST(Manifest, RefusesDeepNesting) {
  EXPECT_EQ(test::kind_thrown_by([] { parse_manifest(std::string(1 << 20, '[')); }),
            ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace still::archive
