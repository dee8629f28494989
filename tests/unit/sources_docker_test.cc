// What is read of Docker's and containerd's answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "engine/container/config_dump.h"
#include "engine/container/libpod_config.h"
#include "os/files.h"
#include "sources/containerd/source.h"
#include "sources/docker/source.h"
#include "sources/foreign/archived.h"
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
  EXPECT_EQ(statement.image, "web:1");
  EXPECT_EQ(statement.image_id, "sha256:ab");
  EXPECT_EQ(statement.volumes.at(0).place, "/data");
}

Statement of_docker(const std::string& image) {
  return {.engine = "docker",
          .id = "1234",
          .name = "web",
          .image = image,
          .image_id = "sha256:ab",
          .volumes = {{.name = "data", .source = "/d/data/_data", .place = "/data"}}};
}

// As Docker 26 writes it, without what nobody reads.
constexpr const char* kDockersSpec = R"({
    "hooks": {"prestart": [{"path": "/proc/48/exe"}]},
    "process": {"args": ["sh"], "user": {"uid": 7, "gid": 8}},
    "linux": {"cgroupsPath": "/docker/1234",
              "namespaces": [{"type": "network", "path": "/run/netns/a"}, {"type": "pid"}]},
    "mounts": [
      {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["size=64m"]},
      {"destination": "/data", "type": "bind", "source": "/d/data/_data", "options": ["rbind"]},
      {"destination": "/srv", "type": "none", "source": "/srv", "options": ["rbind", "ro"]},
      {"destination": "/etc/hosts", "type": "bind", "source": "/d/hosts", "options": ["rbind"]}]})";

constexpr const char* kArchivedCgroup = "/libpod_parent/libpod-1234";

TEST(Archived, NamesPodmansCgroupIfThereIsAnImage) {
  EXPECT_EQ(archived_cgroup(of_docker("web"), "/docker/1234"), kArchivedCgroup);
  EXPECT_EQ(archived_cgroup({.id = "1234"}, "/docker/1234"), "/docker/1234");
}

TEST(Archived, IsAContainerForPodmanAndStill) {
  const auto forms =
      archived_forms(of_docker("web:1"), "runc", true, kArchivedCgroup, kDockersSpec);
  const json spec = json::parse(forms.spec_dump);
  EXPECT_FALSE(spec.contains("hooks"));
  EXPECT_EQ(spec.at("/linux/cgroupsPath"_json_pointer), "/libpod_parent/libpod-1234");
  EXPECT_FALSE(spec.at("/linux/namespaces/0"_json_pointer).contains("path"));
  EXPECT_EQ(spec.at("mounts").size(), 3U);
  EXPECT_EQ(spec.at("/mounts/1/source"_json_pointer),
            "/var/lib/containers/storage/volumes/data/_data");

  const auto container = engine::parse_config_dump(forms.config_dump);
  EXPECT_EQ(container.name, "web");
  EXPECT_EQ(container.cgroup, "/libpod_parent/libpod-1234");
  const engine::ContainerConfig& config = container.config;
  EXPECT_EQ(config.image, "docker.io/library/web:1");
  EXPECT_EQ(config.image_id, "ab");
  EXPECT_EQ(config.runtime, "runc");
  EXPECT_EQ(config.network, "none");
  EXPECT_EQ(config.user, "7:8");
  EXPECT_TRUE(config.from_other_engine);
  EXPECT_FALSE(config.from_podman);
  ASSERT_EQ(config.volumes.size(), 1U);
  EXPECT_EQ(config.volumes[0].destination, "/data");
  ASSERT_EQ(config.binds.size(), 1U);
  EXPECT_TRUE(config.binds[0].read_only);
  ASSERT_EQ(config.tmpfs.size(), 1U);
  EXPECT_EQ(config.tmpfs[0].destination, "/dev/shm");
}

TEST(Archived, NamesImagesAsTheyAreKnownElsewhere) {
  const auto name_for = [](const std::string& image) {
    const auto forms =
        archived_forms(of_docker(image), "runc", true, kArchivedCgroup, kDockersSpec);
    return engine::parse_config_dump(forms.config_dump).config.image;
  };
  EXPECT_EQ(name_for("me/web"), "docker.io/me/web");
  EXPECT_EQ(name_for("localhost/web"), "localhost/web");
  EXPECT_EQ(name_for("quay.io/me/web:2"), "quay.io/me/web:2");
  EXPECT_EQ(name_for("sha256:ab"), "ab");
  EXPECT_EQ(name_for(""), "ab");
}

TEST(Archived, HasANetworkToGiveUpUnlessItIsALoopbackDevice) {
  const auto forms = archived_forms(of_docker("web"), "runc", false, kArchivedCgroup, kDockersSpec);
  EXPECT_EQ(engine::parse_config_dump(forms.config_dump).config.network, engine::kPodmanNetwork);
  EXPECT_EQ(
      test::kind_thrown_by([] { archived_forms(of_docker("web"), "runc", true, "/a", "[{"); }),
      ErrorKind::kCorrupt);
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
