// What is read of Docker's and containerd's answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "os/files.h"
#include "sources/containerd/source.h"
#include "sources/docker/source.h"
#include "sources/foreign/shim.h"
#include "support.h"

namespace still::sources {
namespace {

using nlohmann::json;
using testing::ElementsAre;

TEST(Docker, SaysWhatACheckpointNeeds) {
  const Statement statement = read_docker_container(json::parse(R"({
    "Id": "1234", "Name": "/web", "Image": "sha256:ab", "LogPath": "/d/1234-json.log",
    "State": {"Status": "paused", "Pid": 42, "StartedAt": "2026-11-30T01:55:10Z"},
    "Config": {"Image": "web:1"}, "HostConfig": {"Runtime": "runc"},
    "GraphDriver": {"Name": "overlay2", "Data": {"LowerDir": "/a-init:/a", "UpperDir": "/u"}},
    "Mounts": [{"Type": "volume", "Name": "data", "Source": "/d/data/_data",
                "Destination": "/data", "Driver": "local", "RW": true}]})"));
  EXPECT_EQ(statement.name, "web");
  EXPECT_TRUE(is_running(statement));
  EXPECT_THAT(statement.layers->lower, ElementsAre("/a-init", "/a"));
  const json dump = json::parse(statement.config_dump);
  EXPECT_EQ(dump.at("name"), "web");
  EXPECT_EQ(dump.at("rootfsImageName"), "web:1");
  EXPECT_EQ(dump.at("namedVolumes").at(0).at("dest"), "/data");
}

// With the images in containerd's store there is no graph driver: the kernel is asked.
TEST(Docker, MayNameNoLayers) {
  const Statement statement = read_docker_container(json::parse(R"({
    "Id": "1234", "Name": "/web", "GraphDriver": null, "Mounts": [],
    "State": {"Status": "exited", "Pid": 0, "StartedAt": ""}})"));
  EXPECT_FALSE(statement.layers);
  EXPECT_FALSE(is_running(statement));
}

TEST(Containerd, KnowsThoseOfKubernetesByTheirPods) {
  const auto read = [](const char* labels) {
    return read_containerd_container(
        {{"ID", "0123"}, {"Image", "web:1"}, {"Labels", json::parse(labels)}});
  };
  EXPECT_EQ(read("null").name, "0123");
  EXPECT_EQ(
      read(R"({"io.kubernetes.pod.name": "shop", "io.kubernetes.container.name": "web"})").name,
      "shop-web");
}

TEST(Shim, WasToldTheRuntimeAndItsRoot) {
  const test::Scratch scratch;
  const auto bundle = scratch / "io.containerd.runtime.v2.task/moby/1234";
  Statement statement{.id = "1234"};
  read_shim(statement, scratch.path(), "moby");
  EXPECT_TRUE(statement.bundle.empty()) << "it does not run";

  make_directories(bundle);
  read_shim(statement, scratch.path(), "moby");
  EXPECT_EQ(statement.bundle, bundle);
  EXPECT_EQ(statement.runtime, "runc");
  EXPECT_EQ(statement.runtime_root, scratch / "runc/moby");

  test::write_text(bundle / "options.json", R"({"binary_name": "crun", "root": "/run/other"})");
  read_shim(statement, scratch.path(), "moby");
  EXPECT_EQ(statement.runtime, "crun");
  EXPECT_EQ(statement.runtime_root, "/run/other/moby");
}

}  // namespace
}  // namespace still::sources
