#include "oci/spec.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "oci/capabilities.h"
#include "oci/runtime.h"
#include "oci/seccomp.h"
#include "os/files.h"

namespace still::oci {
namespace {

using nlohmann::json;

constexpr int kUmask = 022;
constexpr int64_t kCpuPeriodMicroseconds = 100'000;

constexpr std::array kMaskedPaths = {"/proc/acpi",
                                     "/proc/interrupts",
                                     "/proc/kcore",
                                     "/proc/keys",
                                     "/proc/latency_stats",
                                     "/proc/sched_debug",
                                     "/proc/scsi",
                                     "/proc/timer_list",
                                     "/proc/timer_stats",
                                     "/sys/dev/block",
                                     "/sys/devices/virtual/powercap",
                                     "/sys/firmware",
                                     "/sys/fs/selinux"};
constexpr std::array kReadOnlyPaths = {"/proc/asound", "/proc/bus", "/proc/fs",
                                       "/proc/irq",    "/proc/sys", "/proc/sysrq-trigger"};

std::vector<SpecMount> default_mounts(const SpecSettings& settings) {
  std::vector<SpecMount> mounts = {
      {"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}},
      {"/dev",
       "tmpfs",
       "tmpfs",
       {"nosuid", "strictatime", "mode=755", formatted("size={}k", kDevBytes >> 10)}},
      {"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}},
      {"/dev/pts",
       "devpts",
       "devpts",
       {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
      {"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}}};
  // On v1 it would be a mount for every hierarchy, and after a restore CRIU shows another part of
  // them than before: the container does without, as one without a cgroup does.
  if (settings.unified_cgroups && settings.cgroup_path) {
    mounts.push_back({"/sys/fs/cgroup",
                      "cgroup",
                      "cgroup",
                      {"rprivate", "nosuid", "noexec", "nodev", "relatime", "ro"}});
  }
  return mounts;
}

json to_json(const SpecMount& mount) {
  return {{"destination", mount.destination},
          {"type", mount.type},
          {"source", mount.source},
          {"options", mount.options}};
}

json mounts_of(const SpecSettings& settings) {
  json mounts = json::array();
  for (const SpecMount& mount : default_mounts(settings)) {
    if (!std::ranges::contains(settings.mounts, mount.destination, &SpecMount::destination)) {
      mounts.push_back(to_json(mount));
    }
  }
  for (const SpecMount& mount : settings.mounts) mounts.push_back(to_json(mount));
  return mounts;
}

json namespaces_of(const SpecSettings& settings) {
  json namespaces = json::array();
  for (const char* type : {"pid", "ipc", "uts", "mount"}) namespaces.push_back({{"type", type}});
  if (settings.network_namespace) {
    namespaces.push_back({{"type", "network"}, {"path", settings.network_namespace->native()}});
  } else if (!settings.host_network) {
    namespaces.push_back({{"type", "network"}});
  }
  if (settings.unified_cgroups && settings.cgroup_path) namespaces.push_back({{"type", "cgroup"}});
  return namespaces;
}

json resources_of(const SpecSettings& settings) {
  json resources = {{"devices", json::array({{{"allow", false}, {"access", "rwm"}}})}};
  if (settings.memory_limit_bytes) resources["memory"] = {{"limit", *settings.memory_limit_bytes}};
  if (settings.pids_limit) resources["pids"] = {{"limit", *settings.pids_limit}};
  if (settings.cpus) {
    resources["cpu"] = {{"quota", std::llround(*settings.cpus * kCpuPeriodMicroseconds)},
                        {"period", kCpuPeriodMicroseconds}};
  }
  return resources;
}

json linux_of(const SpecSettings& settings) {
  json result = {{"namespaces", namespaces_of(settings)},
                 {"maskedPaths", kMaskedPaths},
                 {"readonlyPaths", kReadOnlyPaths}};
  if (settings.cgroup_path) {
    result["cgroupsPath"] = *settings.cgroup_path;
    result["resources"] = resources_of(settings);
  }
  if (settings.seccomp) result["seccomp"] = default_seccomp(settings.process.capabilities);
  return result;
}

// As Podman does: root gets its capabilities at once; another user only those beyond the defaults,
// which somebody must have asked for, and by way of the ambient set, so that they survive exec.
json capabilities_of(const ProcessSettings& settings) {
  json bounding = settings.capabilities;
  if (settings.user.uid == 0) {
    return {{"bounding", bounding}, {"effective", bounding}, {"permitted", bounding}};
  }
  json asked = json::array();
  for (const std::string& name : settings.capabilities) {
    if (!std::ranges::contains(default_capabilities(), name)) asked.push_back(name);
  }
  return {{"bounding", bounding},
          {"effective", asked},
          {"permitted", asked},
          {"inheritable", asked},
          {"ambient", asked}};
}

json rlimits_of(const ProcessSettings& settings) {
  json rlimits = json::array();
  for (const auto& [type, limits] : settings.rlimits) {
    rlimits.push_back({{"type", type}, {"soft", limits.first}, {"hard", limits.second}});
  }
  return rlimits;
}

json user_of(const SpecUser& user) {
  json result = {{"uid", user.uid}, {"gid", user.gid}, {"umask", kUmask}};
  if (!user.additional_gids.empty()) result["additionalGids"] = user.additional_gids;
  return result;
}

}  // namespace

bool has_unified_cgroups() {
  struct statfs status{};
  return ::statfs("/sys/fs/cgroup", &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC;
}

json build_process(const ProcessSettings& settings) {
  json process = {{"terminal", settings.terminal},
                  {"user", user_of(settings.user)},
                  {"args", settings.arguments},
                  {"env", settings.environment},
                  {"cwd", settings.directory},
                  {"capabilities", capabilities_of(settings)},
                  {"noNewPrivileges", settings.no_new_privileges}};
  if (!settings.rlimits.empty()) process["rlimits"] = rlimits_of(settings);
  return process;
}

const std::vector<ProtectedPath>& protected_paths() {
  static const std::vector<ProtectedPath> kPaths = [] {
    std::vector<ProtectedPath> paths;
    for (const char* path : kMaskedPaths) paths.push_back({path, true});
    for (const char* path : kReadOnlyPaths) paths.push_back({path, false});
    return paths;
  }();
  return kPaths;
}

json build_spec(const SpecSettings& settings) {
  json spec = {{"ociVersion", "1.0.2"},
               {"process", build_process(settings.process)},
               {"root", {{"path", settings.rootfs.native()}, {"readonly", settings.read_only}}},
               {"hostname", settings.hostname},
               {"mounts", mounts_of(settings)},
               {"linux", linux_of(settings)}};
  if (!settings.annotations.empty()) spec["annotations"] = settings.annotations;
  return spec;
}

std::map<std::string, std::filesystem::path> bind_mounts(const std::filesystem::path& bundle) try {
  std::map<std::string, std::filesystem::path> sources;
  const json spec = json::parse(read_file(bundle / "config.json"));
  for (const json& mount : spec.at("mounts")) {
    if (mount.value("type", "") != "bind") continue;
    sources[mount.at("destination").get<std::string>()] = mount.at("source").get<std::string>();
  }
  return sources;
} catch (const json::exception& error) {
  throw Error(ErrorKind::kCorrupt, "the bundle's config.json is none: " + printable(error.what()));
}

namespace {

std::filesystem::path move_source(const std::filesystem::path& source, const OtherPlaces& places) {
  for (const auto& [from, to] : places.sources) {
    const auto below = source.lexically_relative(from);
    if (below == ".") return to;
    if (!below.empty() && *below.begin() != "..") return to / below;
  }
  return source;
}

}  // namespace

std::string move_spec(const std::string& text, const OtherPlaces& places) try {
  json spec = json::parse(text);
  spec.at("root")["path"] = places.root;
  spec.erase("hooks");
  for (json& mount : spec.at("mounts")) {
    if (mount.value("type", "") != "bind") continue;
    mount["source"] = move_source(mount.at("source").get<std::string>(), places);
  }
  spec.at("linux")["cgroupsPath"] = places.cgroup_path;
  spec["annotations"][kCriuConfigurationAnnotation] = places.criu_configuration;
  return spec.dump();
} catch (const json::exception& error) {
  throw Error(ErrorKind::kCorrupt, "the container's spec is none: " + printable(error.what()));
}

}  // namespace still::oci
