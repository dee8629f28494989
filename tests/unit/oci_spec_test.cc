// Facts about the runtime specs that are written.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "oci/capabilities.h"
#include "oci/spec.h"
#include "support.h"

namespace still::oci {
namespace {

using nlohmann::json;
using test::kind_thrown_by;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;

SpecSettings basic() {
  SpecSettings settings;
  settings.process.arguments = {"/bin/true", "x"};
  settings.process.environment = {"A=b"};
  settings.process.capabilities = default_capabilities();
  settings.rootfs = "/store/merged";
  settings.hostname = "box";
  settings.cgroup_path = "/still/abc";
  settings.unified_cgroups = true;
  settings.seccomp = false;
  return settings;
}

std::vector<std::string> types_of_namespaces(const json& spec) {
  std::vector<std::string> types;
  for (const auto& entry : spec["linux"]["namespaces"]) types.push_back(entry["type"]);
  return types;
}

json mount_at(const json& spec, const std::string& destination) {
  json found;
  for (const auto& mount : spec["mounts"]) {
    if (mount["destination"] == destination) found.push_back(mount);
  }
  return found;
}

TEST(Spec, SaysWhatRunsAndWhere) {
  const json spec = build_spec(basic());
  EXPECT_EQ(spec["ociVersion"], "1.0.2");
  EXPECT_EQ(spec["root"], json({{"path", "/store/merged"}, {"readonly", false}}));
  EXPECT_EQ(spec["hostname"], "box");
  EXPECT_EQ(spec["process"]["args"], json({"/bin/true", "x"}));
  EXPECT_EQ(spec["process"]["env"], json({"A=b"}));
  EXPECT_EQ(spec["process"]["cwd"], "/");
  EXPECT_EQ(spec["process"]["terminal"], false);
  EXPECT_EQ(spec["process"]["noNewPrivileges"], false);
  EXPECT_FALSE(spec["process"].contains("rlimits"));
  EXPECT_FALSE(spec.contains("annotations"));
}

TEST(Spec, HasPodmansMounts) {
  const json spec = build_spec(basic());
  std::vector<std::string> destinations;
  for (const auto& mount : spec["mounts"]) destinations.push_back(mount["destination"]);
  EXPECT_THAT(destinations,
              ElementsAre("/proc", "/dev", "/sys", "/dev/pts", "/dev/mqueue", "/sys/fs/cgroup"));
  EXPECT_EQ(mount_at(spec, "/dev")[0]["options"],
            json({"nosuid", "strictatime", "mode=755", "size=65536k"}));
  EXPECT_THAT(mount_at(spec, "/sys")[0]["options"], Contains("ro"));
}

TEST(Spec, AMountOfTheUserReplacesTheDefaultOne) {
  auto settings = basic();
  settings.mounts = {{"/data", "bind", "/host", {"rbind", "ro"}},
                     {"/dev/mqueue", "tmpfs", "tmpfs", {"size=1m"}}};
  const json spec = build_spec(settings);
  EXPECT_EQ(mount_at(spec, "/data"), json::array({{{"destination", "/data"},
                                                   {"type", "bind"},
                                                   {"source", "/host"},
                                                   {"options", {"rbind", "ro"}}}}));
  ASSERT_EQ(mount_at(spec, "/dev/mqueue").size(), 1U);
  EXPECT_EQ(mount_at(spec, "/dev/mqueue")[0]["type"], "tmpfs");
}

TEST(Spec, HidesWhatTellsOrChangesTheHost) {
  const json linux = build_spec(basic())["linux"];
  EXPECT_THAT(linux["maskedPaths"], IsSupersetOf({"/proc/kcore", "/proc/keys", "/sys/firmware"}));
  EXPECT_THAT(linux["readonlyPaths"], IsSupersetOf({"/proc/sys", "/proc/sysrq-trigger"}));
  EXPECT_EQ(linux["resources"]["devices"], json::array({{{"allow", false}, {"access", "rwm"}}}));
}

TEST(Spec, NamespacesFollowTheNetwork) {
  auto settings = basic();
  EXPECT_THAT(types_of_namespaces(build_spec(settings)),
              ElementsAre("pid", "ipc", "uts", "mount", "network", "cgroup"));
  settings.host_network = true;
  EXPECT_THAT(types_of_namespaces(build_spec(settings)), Not(Contains("network")));
  settings.network_namespace = "/run/netns/a";
  EXPECT_THAT(build_spec(settings)["linux"]["namespaces"],
              Contains(json({{"type", "network"}, {"path", "/run/netns/a"}})));
}

TEST(Spec, OnCgroupV1ThereIsNeitherCgroupMountNorNamespace) {
  auto settings = basic();
  settings.unified_cgroups = false;
  const json spec = build_spec(settings);
  EXPECT_EQ(spec["linux"]["cgroupsPath"], "/still/abc");
  EXPECT_THAT(types_of_namespaces(spec), Not(Contains("cgroup")));
  EXPECT_THAT(mount_at(spec, "/sys/fs/cgroup"), IsEmpty());
}

TEST(Spec, WithoutACgroupThereAreNoResources) {
  auto settings = basic();
  settings.cgroup_path.reset();
  const json spec = build_spec(settings);
  EXPECT_FALSE(spec["linux"].contains("cgroupsPath"));
  EXPECT_FALSE(spec["linux"].contains("resources"));
  EXPECT_THAT(types_of_namespaces(spec), Not(Contains("cgroup")));
  EXPECT_THAT(mount_at(spec, "/sys/fs/cgroup"), IsEmpty());
}

TEST(Spec, LimitsAreThereWhenAskedFor) {
  auto settings = basic();
  const json none = build_spec(settings)["linux"]["resources"];
  for (const char* key : {"memory", "pids", "cpu"}) EXPECT_FALSE(none.contains(key)) << key;
  settings.memory_limit_bytes = 64 << 20;
  settings.pids_limit = 100;
  settings.cpus = 1.5;
  const json some = build_spec(settings)["linux"]["resources"];
  EXPECT_EQ(some["memory"], json({{"limit", 64 << 20}}));
  EXPECT_EQ(some["pids"], json({{"limit", 100}}));
  EXPECT_EQ(some["cpu"], json({{"quota", 150'000}, {"period", 100'000}}));
}

TEST(Spec, AnnotationsArePassedOn) {
  auto settings = basic();
  settings.annotations["org.criu.config"] = "/c/criu.conf";
  EXPECT_EQ(build_spec(settings)["annotations"], json({{"org.criu.config", "/c/criu.conf"}}));
}

TEST(Spec, TheSeccompFilterIsThereUnlessRefused) {
  auto settings = basic();
  EXPECT_FALSE(build_spec(settings)["linux"].contains("seccomp"));
  settings.seccomp = true;
  EXPECT_FALSE(build_spec(settings)["linux"]["seccomp"]["syscalls"].empty());
}

TEST(SpecProcess, RootGetsItsCapabilitiesAtOnce) {
  const json process = build_process(basic().process);
  for (const char* set : {"bounding", "effective", "permitted"}) {
    EXPECT_THAT(process["capabilities"][set], ElementsAreArray(default_capabilities())) << set;
  }
  EXPECT_FALSE(process["capabilities"].contains("ambient"));
  EXPECT_FALSE(process["capabilities"].contains("inheritable"));
}

TEST(SpecProcess, AnotherUserOnlyWhatWasAskedFor) {
  auto settings = basic().process;
  settings.user = {.uid = 1000, .gid = 1001, .additional_gids = {5, 6}};
  settings.capabilities.emplace_back("CAP_NET_RAW");
  const json process = build_process(settings);
  EXPECT_EQ(process["user"],
            json({{"uid", 1000}, {"gid", 1001}, {"umask", 022}, {"additionalGids", {5, 6}}}));
  for (const char* set : {"effective", "permitted", "inheritable", "ambient"}) {
    EXPECT_EQ(process["capabilities"][set], json({"CAP_NET_RAW"})) << set;
  }
  EXPECT_EQ(process["capabilities"]["bounding"].size(), default_capabilities().size() + 1);
}

TEST(SpecProcess, RlimitsHaveTypeSoftAndHard) {
  auto settings = basic().process;
  settings.rlimits["RLIMIT_NOFILE"] = {1024, 4096};
  EXPECT_EQ(build_process(settings)["rlimits"],
            json::array({{{"type", "RLIMIT_NOFILE"}, {"soft", 1024}, {"hard", 4096}}}));
}

TEST(Capability, NamesAreNormalized) {
  EXPECT_EQ(normalize_capability("NET_ADMIN"), "CAP_NET_ADMIN");
  EXPECT_EQ(normalize_capability("cap_net_admin"), "CAP_NET_ADMIN");
  EXPECT_EQ(normalize_capability("Sys_Ptrace"), "CAP_SYS_PTRACE");
  for (const char* name : {"", "CAP_", "NET_ADMINS", "CAP_CAP_CHOWN", "chown "}) {
    EXPECT_EQ(kind_thrown_by([&] { normalize_capability(name); }), ErrorKind::kUsage) << name;
  }
}

TEST(Capability, DefaultsArePodmans) {
  EXPECT_EQ(default_capabilities().size(), 11U);
  EXPECT_THAT(default_capabilities(),
              AllOf(Contains("CAP_SYS_CHROOT"), Not(Contains("CAP_NET_RAW")),
                    Not(Contains("CAP_SYS_ADMIN"))));
}

TEST(Capability, AllAreThoseThatWeCanHandOn) {
  STILL_REQUIRE_ROOT();
  EXPECT_THAT(all_capabilities(), IsSupersetOf({"CAP_CHOWN", "CAP_SYS_ADMIN"}));
  for (const auto& name : all_capabilities()) EXPECT_EQ(normalize_capability(name), name);
}

}  // namespace
}  // namespace still::oci
