#include "sources/still/spec_check.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "engine/container/etc_files.h"
#include "engine/container/mounts.h"
#include "engine/container/security.h"
#include "oci/spec.h"

namespace still::sources {
namespace {

using engine::ContainerConfig;
using nlohmann::json;

constexpr std::array kKeys = {"annotations", "hostname", "linux", "mounts",
                              "ociVersion",  "process",  "root"};
constexpr std::array kLinuxKeys = {"cgroupsPath",   "maskedPaths", "namespaces",
                                   "readonlyPaths", "resources",   "seccomp"};
constexpr std::array kHarmlessTypes = {"proc", "tmpfs", "sysfs", "devpts", "mqueue", "cgroup"};

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::kCorrupt, "unlike config.dump it has " + printable(what));
}

template <typename Known>
void check_keys(const json& object, const Known& known, const std::string& where) {
  for (const auto& [key, value] : object.items()) {
    if (!std::ranges::contains(known, key)) refuse(where + key);
  }
}

void check_capabilities(const json& process, const ContainerConfig& config) {
  const auto held = engine::effective_capabilities(config);
  for (const auto& [set, names] : process.at("capabilities").items()) {
    for (const json& name : names) {
      if (!std::ranges::contains(held, name.get<std::string>()))
        refuse("the capability " + name.get<std::string>());
    }
  }
}

void check_namespaces(const json& linux, const ContainerConfig& config) {
  std::set<std::string> types;
  for (const json& entry : linux.at("namespaces")) {
    const std::string type = entry.at("type");
    types.insert(type);
    const std::string path = entry.value("path", "");
    // The engine's own, which is made anew for every run.
    if (path.empty() || (type == "network" && path.ends_with("/netns"))) continue;
    refuse("the namespace " + path);
  }
  for (const char* type : {"pid", "ipc", "uts", "mount", "network"}) {
    const bool is_shared = type == std::string_view("network") && config.network == "host";
    if (!is_shared && !types.contains(type))
      refuse(std::string("no namespace of its own: ") + type);
  }
}

void check_protection(const json& linux, const ContainerConfig& config) {
  if (engine::security_of(config).seccomp && !linux.contains("seccomp")) {
    refuse("no seccomp filter");
  }
  for (const oci::ProtectedPath& path : oci::protected_paths()) {
    const json& list = linux.at(path.is_masked ? "maskedPaths" : "readonlyPaths");
    if (!std::ranges::contains(list, json(path.path))) refuse("an unprotected " + path.path);
  }
  for (const json& rule :
       linux.value("resources", json::object()).value("devices", json::array())) {
    if (rule.at("allow").get<bool>()) refuse("access to devices");
  }
}

bool is_volume(const std::string& source, const std::string& destination,
               const ContainerConfig& config) {
  return std::ranges::any_of(config.volumes, [&](const engine::VolumeMount& volume) {
    return place_of(volume) == destination && source.ends_with("/" + volume.volume + "/_data");
  });
}

bool is_bind(const std::string& source, const std::string& destination,
             const ContainerConfig& config) {
  return std::ranges::any_of(config.binds, [&](const engine::BindMount& bind) {
    return place_of(bind) == destination && source_of(bind) == source;
  });
}

// Mounted by the engine itself.
bool is_own(const std::string& destination, const ContainerConfig& config) {
  const auto is_file = [&](const char* name) { return destination == std::string("/etc/") + name; };
  return destination == "/dev/shm" || std::ranges::any_of(engine::kEtcFiles, is_file) ||
         (config.init && destination == engine::kInitPath) ||
         (config.from_podman && destination == engine::kContainerenvPath);
}

void check_mounts(const json& mounts, const ContainerConfig& config) {
  for (const json& mount : mounts) {
    const std::string type = mount.at("type");
    const std::string source = mount.at("source");
    const std::string destination = mount.at("destination");
    if (std::ranges::contains(kHarmlessTypes, type)) continue;
    if (type == "bind" && (is_volume(source, destination, config) ||
                           is_bind(source, destination, config) || is_own(destination, config))) {
      continue;
    }
    refuse("the mount of " + source + " at " + destination);
  }
}

}  // namespace

void check_podman_spec(std::string_view spec_dump, const ContainerConfig& config) try {
  const json spec = json::parse(spec_dump);
  check_capabilities(spec.at("process"), config);
  check_mounts(spec.at("mounts"), config);
} catch (const json::exception& error) {
  throw Error(ErrorKind::kCorrupt, "it is no runtime spec: " + printable(error.what()));
}

void check_spec(std::string_view spec_dump, const ContainerConfig& config) try {
  const json spec = json::parse(spec_dump);
  const json& linux = spec.at("linux");
  check_keys(spec, kKeys, "");
  check_keys(linux, kLinuxKeys, "linux.");
  check_capabilities(spec.at("process"), config);
  check_namespaces(linux, config);
  check_protection(linux, config);
  check_mounts(spec.at("mounts"), config);
} catch (const json::exception& error) {
  throw Error(ErrorKind::kCorrupt, "it is no runtime spec: " + printable(error.what()));
}

}  // namespace still::sources
