#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "archive/deleted_files.h"
#include "base/error.h"
#include "engine/container/config_dump.h"
#include "sources/still/spec_check.h"
#include "support.h"

namespace still::engine {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

// As Podman 5.4.2 writes it, without what nobody reads.
json usual() {
  return json::parse(R"({
    "id": "5ef2", "name": "web", "staticDir": "/var/lib/containers/x", "runtime": "runc",
    "rootfsImageID": "336d", "rootfsImageName": "localhost/web:latest", "shmSize": 65536000,
    "Dependencies": null, "privileged": false, "createNetNS": false, "passwd": true,
    "idMappingsOptions": {"HostUIDMapping": true, "UIDMap": null, "GIDMap": null},
    "namedVolumes": [{"volumeName": "data", "dest": "/data", "options": ["ro", "rprivate"]}],
    "cgroupManager": "cgroupfs", "cgroupParent": "/libpod_parent", "cgroupsMode": "enabled",
    "logDriver": "journald", "stopSignal": 3, "stopTimeout": 7, "labels": {"a": "b"},
    "user": "redis",
    "spec": {
      "process": {
        "args": ["sh", "-c", "sleep 1"], "env": ["A=b"], "cwd": "/srv", "user": {"uid": 0},
        "capabilities": {"bounding": [
          "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
          "CAP_NET_BIND_SERVICE", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID",
          "CAP_SYS_CHROOT"]}},
      "root": {"path": "rootfs"},
      "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"}],
      "linux": {
        "resources": {"devices": [{"allow": false}], "pids": {"limit": 0}},
        "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}],
        "seccomp": {"defaultAction": "SCMP_ACT_ERRNO"}}}})");
}

ContainerConfig config_of(const json& dump) { return parse_config_dump(dump.dump()).config; }

json with(const char* pointer, const json& value) {
  json dump = usual();
  dump[json::json_pointer(pointer)] = value;
  return dump;
}

ErrorKind refusal_of(const json& dump) {
  return test::kind_thrown_by([&] { config_of(dump); });
}

TEST(LibpodConfig, IsAConfigurationOfStills) {
  const ArchivedContainer container = parse_config_dump(usual().dump());
  EXPECT_EQ(container.maker, Maker::kPodman);
  EXPECT_EQ(container.id, "5ef2");
  EXPECT_EQ(container.name, "web");
  EXPECT_EQ(container.cgroup, "/libpod_parent/libpod-5ef2");
  EXPECT_THAT(container.left_out, IsEmpty());
  const ContainerConfig& config = container.config;
  EXPECT_EQ(config.image, "localhost/web:latest");
  EXPECT_EQ(config.image_id, "336d");
  EXPECT_THAT(config.arguments, ElementsAre("sh", "-c", "sleep 1"));
  EXPECT_THAT(config.environment, ElementsAre("A=b"));
  EXPECT_EQ(config.directory, "/srv");
  EXPECT_EQ(config.user, "redis");
  EXPECT_EQ(config.runtime, "runc");
  EXPECT_EQ(config.network, "none");
  EXPECT_EQ(config.log_driver, "k8s-file");
  EXPECT_EQ(config.shm_size_bytes, 65536000U);
  EXPECT_EQ(config.stop_signal, 3);
  EXPECT_EQ(config.stop_timeout_seconds, 7);
  EXPECT_EQ(config.labels.at("a"), "b");
  EXPECT_FALSE(config.pids_limit);
  EXPECT_TRUE(config.cgroups);
  EXPECT_TRUE(config.from_podman);
  ASSERT_EQ(config.volumes.size(), 1U);
  EXPECT_EQ(config.volumes[0].volume, "data");
  EXPECT_EQ(config.volumes[0].destination, "/data");
  EXPECT_TRUE(config.volumes[0].read_only);
  EXPECT_THAT(config.binds, IsEmpty());
  EXPECT_THAT(config.tmpfs, IsEmpty());
  EXPECT_THAT(config.add_capabilities, IsEmpty());
  EXPECT_THAT(config.drop_capabilities, IsEmpty());
  EXPECT_THAT(config.security_options, IsEmpty());
}

TEST(LibpodConfig, WhatWasAskedForIsAskedForAgain) {
  json dump = usual();
  json& spec = dump["spec"];
  spec["mounts"].push_back({{"destination", "/b"}, {"type", "bind"}, {"source", "/srv/b"}});
  spec["mounts"].push_back(
      {{"destination", "/t"}, {"type", "tmpfs"}, {"source", "tmpfs"}, {"options", {"size=1m"}}});
  spec["process"]["capabilities"]["bounding"] = {"CAP_CHOWN", "CAP_NET_ADMIN"};
  spec["process"]["noNewPrivileges"] = true;
  spec["process"]["rlimits"] = {{{"type", "RLIMIT_NICE"}, {"soft", 1}, {"hard", 2}}};
  spec["root"]["readonly"] = true;
  spec["linux"].erase("seccomp");
  spec["linux"]["namespaces"] = {{{"type", "pid"}}};
  spec["linux"]["resources"] = {{"memory", {{"limit", 1 << 20}, {"reservation", 5}}},
                                {"cpu", {{"quota", 50000}, {"period", 100000}, {"shares", 7}}},
                                {"pids", {{"limit", 9}}}};
  spec["annotations"] = {{"io.podman.annotations.autoremove", "TRUE"}};
  const ArchivedContainer container = parse_config_dump(dump.dump());
  const ContainerConfig& config = container.config;
  ASSERT_EQ(config.binds.size(), 1U);
  EXPECT_EQ(config.binds[0].source, "/srv/b");
  EXPECT_EQ(config.binds[0].destination, "/b");
  ASSERT_EQ(config.tmpfs.size(), 1U);
  EXPECT_THAT(config.tmpfs[0].options, ElementsAre("size=1m"));
  EXPECT_THAT(config.add_capabilities, ElementsAre("CAP_NET_ADMIN"));
  EXPECT_EQ(config.drop_capabilities.size(), 10U);
  EXPECT_THAT(config.security_options, ElementsAre("no-new-privileges", "seccomp=unconfined"));
  EXPECT_EQ(config.rlimits.at("RLIMIT_NICE"), (std::pair<uint64_t, uint64_t>(1, 2)));
  EXPECT_TRUE(config.read_only);
  EXPECT_TRUE(config.remove_when_done);
  EXPECT_EQ(config.network, "host");
  EXPECT_EQ(config.memory_limit_bytes, 1 << 20);
  EXPECT_EQ(config.cpus, 0.5);
  EXPECT_EQ(config.pids_limit, 9);
  EXPECT_THAT(container.left_out, ElementsAre("cpu/shares", "memory/reservation"));
}

TEST(LibpodConfig, KnowsWhereItsCgroupWas) {
  EXPECT_EQ(parse_config_dump(with("/cgroupsMode", "disabled").dump()).cgroup, "");
  json systemd = with("/cgroupManager", "systemd");
  systemd["cgroupParent"] = "machine.slice";
  EXPECT_EQ(parse_config_dump(systemd.dump()).cgroup, "/machine.slice/libpod-5ef2.scope");
}

TEST(LibpodConfig, RefusesWhatStillDoesNotOffer) {
  for (const char* key : {"privileged", "pod", "netNsCtr", "secrets", "overlayVolumes"}) {
    EXPECT_EQ(refusal_of(with((std::string("/") + key).c_str(), json::array({"x"}))),
              ErrorKind::kUnsupported)
        << key;
  }
  const json mapping = json::array({{{"container_id", 0}, {"host_id", 1000}, {"size", 9}}});
  EXPECT_EQ(refusal_of(with("/idMappingsOptions/UIDMap", mapping)), ErrorKind::kUnsupported);
  EXPECT_EQ(refusal_of(with("/spec/linux/devices", json::array({{{"path", "/dev/sda"}}}))),
            ErrorKind::kUnsupported);
  EXPECT_EQ(refusal_of(with("/spec/linux/namespaces/1/path", "/run/netns/x")),
            ErrorKind::kUnsupported);
  EXPECT_EQ(refusal_of(with("/namedVolumes/0/subPath", "below")), ErrorKind::kUnsupported);
  EXPECT_EQ(refusal_of(with("/spec/mounts/0/type", "nfs")), ErrorKind::kUnsupported);
}

TEST(LibpodConfig, RefusesDamage) {
  EXPECT_EQ(refusal_of(with("/spec/process/args", 7)), ErrorKind::kCorrupt);
  EXPECT_EQ(refusal_of(with("/spec", json::array())), ErrorKind::kCorrupt);
  EXPECT_EQ(refusal_of(with("/namedVolumes", json::array({{{"dest", "/x"}}}))),
            ErrorKind::kCorrupt);
  EXPECT_EQ(refusal_of(with("/runtime", std::string("crun\0x", 6))), ErrorKind::kCorrupt);
  EXPECT_EQ(refusal_of(with("/stopSignal", uint64_t{1} << 40)), ErrorKind::kCorrupt);
  const json mount = {{"type", "bind"}, {"source", "/srv"}, {"destination", 1}};
  EXPECT_EQ(refusal_of(with("/spec/mounts/0", mount)), ErrorKind::kCorrupt);
}

TEST(LibpodConfig, SpecDumpHasNothingElse) {
  const ContainerConfig config = config_of(usual());
  json spec = {{"process", usual()["spec"]["process"]}, {"mounts", json::array()}};
  const auto mount = [&](const std::string& source, const std::string& destination) {
    spec["mounts"].push_back({{"type", "bind"}, {"source", source}, {"destination", destination}});
  };
  for (const char* own : {"/etc/hosts", "/etc/hostname", "/dev/shm", "/run/.containerenv"})
    mount("/run/x/userdata/file", own);
  mount("/var/lib/containers/storage/volumes/data/_data", "/data");
  sources::check_podman_spec(spec.dump(), config);
  mount("/etc/shadow", "/run/secrets/s");
  EXPECT_EQ(test::kind_thrown_by([&] { sources::check_podman_spec(spec.dump(), config); }),
            ErrorKind::kCorrupt);
}

TEST(LibpodDeletedFiles, BeginWithTheRoot) {
  EXPECT_THAT(archive::parse_deleted_files(R"(["/etc/group", "a"])"),
              ElementsAre("etc/group", "a"));
  EXPECT_THROW(archive::parse_deleted_files(R"(["a", "//b"])"), Error);
}

}  // namespace
}  // namespace still::engine
