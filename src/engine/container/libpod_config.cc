#include "engine/container/libpod_config.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "oci/capabilities.h"

namespace still::engine {
namespace {

using nlohmann::json;

constexpr std::string_view kAutoRemove = "io.podman.annotations.autoremove";

// libpod's keys of what a container of Still's cannot have, with words for it. Each means nothing
// where it is absent, false or empty.
struct Unsupported {
  const char* key;
  std::string_view what;
};
constexpr std::array kUnsupported = std::to_array<Unsupported>({
    {"privileged", "all privileges (--privileged)"},
    {"Dependencies", "namespaces of other containers"},
    {"pod", "a pod"},
    {"netNsCtr", "the network of another container"},
    {"ipcNsCtr", "the IPC namespace of another container"},
    {"pidNsCtr", "the processes of another container"},
    {"utsNsCtr", "the host name of another container"},
    {"userNsCtr", "the users of another container"},
    {"mountNsCtr", "the mounts of another container"},
    {"cgroupNsCtr", "the cgroups of another container"},
    {"secrets", "secrets"},
    {"overlayVolumes", "overlay volumes"},
    {"ctrImageVolumes", "volumes from images"},
    {"artifactVolumes", "volumes from artifacts"},
});

[[noreturn]] void refuse(std::string_view what) {
  throw Error(ErrorKind::kUnsupported,
              "the archive is of a container of Podman with " + std::string(what) +
                  ", which Still does not offer",
              "restore it with podman container restore");
}

// The value at "/a/b"; null where there is none.
json at(const json& object, const char* pointer) {
  return object.value(json::json_pointer(pointer), json());
}

bool means_nothing(const json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>().empty();
  return value.is_null() || value.empty() || value == false;
}

void refuse_unsupported(const json& dump) {
  for (const auto& [key, what] : kUnsupported) {
    if (!means_nothing(dump.value(key, json()))) refuse(what);
  }
  for (const char* mapping : {"/idMappingsOptions/UIDMap", "/idMappingsOptions/GIDMap",
                              "/spec/linux/uidMappings", "/spec/linux/gidMappings"}) {
    if (!means_nothing(at(dump, mapping))) refuse("mapped users");
  }
  if (!means_nothing(at(dump, "/spec/linux/devices"))) refuse("devices of the host");
}

bool has_option(const json& mount, const char* option) {
  return std::ranges::contains(mount.value("options", json::array()), json(option));
}

json volumes_of(const json& dump) {
  json volumes = json::array();
  for (const json& volume : dump.value("namedVolumes", json::array())) {
    if (!means_nothing(volume.value("subPath", json("")))) refuse("a part of a volume");
    volumes.push_back({{"volume", volume.at("volumeName")},
                       {"destination", volume.at("dest")},
                       {"readOnly", has_option(volume, "ro")}});
  }
  return volumes;
}

struct Mounts {
  json binds = json::array();
  json tmpfs = json::array();
};

// Those that the caller of Podman asked for, among those that every container has.
Mounts mounts_of(const json& dump) {
  constexpr std::array kUsual = {"proc", "sysfs", "devpts", "mqueue", "cgroup"};
  Mounts mounts;
  for (const json& mount : at(dump, "/spec/mounts")) {
    const std::string type = mount.value("type", "bind");
    const json& destination = mount.at("destination");
    if (std::ranges::contains(kUsual, type) || (type == "tmpfs" && destination == "/dev")) continue;
    const json options = mount.value("options", json::array());
    if (type == "bind") {
      mounts.binds.push_back({{"source", mount.at("source")},
                              {"destination", destination},
                              {"readOnly", has_option(mount, "ro")},
                              {"recursive", !has_option(mount, "bind")}});
    } else if (type == "tmpfs") {
      mounts.tmpfs.push_back({{"destination", destination}, {"options", options}});
    } else {
      refuse("a mount of the type " + printable(type));
    }
  }
  return mounts;
}

// Namespaces by path are none of the container's own.
bool has_namespace(const json& dump, const char* type) {
  bool found = false;
  for (const json& entry : at(dump, "/spec/linux/namespaces")) {
    if (!entry.value("path", "").empty()) refuse("a namespace from elsewhere");
    if (entry.at("type") == type) found = true;
  }
  return found;
}

const char* network_of(const json& dump) {
  if (!has_namespace(dump, "network")) return "host";
  const json made_by = dump.value(kMadeByKey, json::object());
  if (made_by.value("hasLoopbackAlone", false)) return "none";
  return dump.value("createNetNS", false) ? kPodmanNetwork : "none";
}

bool has_cgroup(const json& dump) {
  return !dump.value("noCgroups", false) && dump.value("cgroupsMode", "") != "disabled";
}

struct Capabilities {
  json added = json::array();
  json dropped = json::array();
};

Capabilities capabilities_of(const json& dump) {
  const json held = at(dump, "/spec/process/capabilities/bounding");
  const auto& usual = oci::default_capabilities();
  Capabilities result;
  for (const json& name : held) {
    if (!std::ranges::contains(usual, name.get<std::string>())) result.added.push_back(name);
  }
  for (const std::string& name : usual) {
    if (!std::ranges::contains(held, json(name))) result.dropped.push_back(name);
  }
  return result;
}

json security_of(const json& dump) {
  json options = json::array();
  if (at(dump, "/spec/process/noNewPrivileges") == true) options.push_back("no-new-privileges");
  if (at(dump, "/spec/linux/seccomp").is_null()) options.push_back("seccomp=unconfined");
  return options;
}

json rlimits_of(const json& dump) {
  json limits = json::object();
  for (const json& limit : at(dump, "/spec/process/rlimits")) {
    limits[limit.at("type").get<std::string>()] = {limit.at("soft"), limit.at("hard")};
  }
  return limits;
}

// Podman's numbers for "no limit" are 0 and -1.
json limit_at(const json& dump, const char* pointer) {
  const json limit = at(dump, pointer);
  return limit.is_number() && limit.get<double>() > 0 ? limit : json();
}

json cpus_of(const json& dump) {
  const json quota = limit_at(dump, "/spec/linux/resources/cpu/quota");
  const json period = limit_at(dump, "/spec/linux/resources/cpu/period");
  if (quota.is_null() || period.is_null()) return {};
  return quota.get<double>() / period.get<double>();
}

}  // namespace

bool is_libpod_config(const json& dump) {
  return dump.contains("spec") && (dump.contains("staticDir") || dump.contains(kMadeByKey));
}

ContainerConfig from_libpod_config(const json& dump) {
  refuse_unsupported(dump);
  const Mounts mounts = mounts_of(dump);
  const Capabilities capabilities = capabilities_of(dump);
  json own = {
      {"image", dump.value("rootfsImageName", "")},
      {"imageId", dump.value("rootfsImageID", "")},
      {"rootfs", dump.value("rootfs", "")},
      {"arguments", at(dump, "/spec/process/args")},
      {"environment", dump.value(json::json_pointer("/spec/process/env"), json::array())},
      {"directory", dump.value(json::json_pointer("/spec/process/cwd"), "/")},
      {"user", dump.value("user", "")},
      {"hostname", dump.value(json::json_pointer("/spec/hostname"), "")},
      {"terminal", dump.value(json::json_pointer("/spec/process/terminal"), false)},
      {"openStdin", dump.value("stdin", false)},
      {"readOnly", dump.value(json::json_pointer("/spec/root/readonly"), false)},
      {"removeWhenDone", dump.value("spec", json::object())
                                 .value("annotations", json::object())
                                 .value(kAutoRemove, "") == "TRUE"},
      {"volumes", volumes_of(dump)},
      {"binds", mounts.binds},
      {"tmpfs", mounts.tmpfs},
      {"shmSizeBytes", dump.value("shmSize", json(ContainerConfig{}.shm_size_bytes))},
      {"network", network_of(dump)},
      {"runtime", dump.value("runtime", "")},
      {"cgroups", has_cgroup(dump)},
      {"logDriver", dump.value("logDriver", "") == "none" ? "none" : "k8s-file"},
      {"addCapabilities", capabilities.added},
      {"dropCapabilities", capabilities.dropped},
      {"securityOptions", security_of(dump)},
      {"rlimits", rlimits_of(dump)},
      {"memoryLimitBytes", limit_at(dump, "/spec/linux/resources/memory/limit")},
      {"pidsLimit", limit_at(dump, "/spec/linux/resources/pids/limit")},
      {"cpus", cpus_of(dump)},
      {"labels", dump.value("labels", json::object())},
      {"stopSignal", dump.value("stopSignal", json(15))},
      {"stopTimeoutSeconds", dump.value("stopTimeout", json(10))},
      {"fromPodman", !dump.contains(kMadeByKey)},
      {"fromOtherEngine", dump.contains(kMadeByKey)},
  };
  return parse_container_config(own.dump());
}

std::vector<std::string> other_libpod_limits(const json& dump) {
  constexpr std::array kKnown = {"/devices",    "/memory/limit", "/memory/swap",
                                 "/pids/limit", "/cpu/quota",    "/cpu/period"};
  std::vector<std::string> others;
  const json resources = at(dump, "/spec/linux/resources").flatten();
  for (const auto& [path, value] : resources.items()) {
    const auto is_known = [&](std::string_view known) { return path.starts_with(known); };
    if (value.is_null() || std::ranges::any_of(kKnown, is_known)) continue;
    others.push_back(path.substr(1));
  }
  return others;
}

std::filesystem::path libpod_volume(const std::string& name) {
  return std::filesystem::path("/var/lib/containers/storage/volumes") / name / "_data";
}

std::string usual_libpod_cgroup(const std::string& id) { return kLibpodParent + ("/libpod-" + id); }

std::string libpod_cgroup(const json& dump) {
  if (!has_cgroup(dump)) return "";
  const std::string id = dump.at("id");
  const std::string parent = dump.value("cgroupParent", "");
  if (dump.value("cgroupManager", "") == "systemd") {
    return "/" + (parent.empty() ? "machine.slice" : parent) + "/libpod-" + id + ".scope";
  }
  return parent.empty() ? usual_libpod_cgroup(id) : parent + "/libpod-" + id;
}

}  // namespace still::engine
