#include "sources/foreign/archived.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "engine/container/config_dump.h"
#include "engine/container/libpod_config.h"

namespace still::sources {
namespace {

using nlohmann::json;

// Files of the engine's own. Who restores the container has such files, too.
constexpr std::array kEngineFiles = {"/dev/shm", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"};

bool has_option(const json& mount, const char* option) {
  return std::ranges::contains(mount.value("options", json::array()), json(option));
}

bool is_bind(const json& mount) {
  return mount.value("type", "") == "bind" || has_option(mount, "bind") ||
         has_option(mount, "rbind");
}

const NamedVolume* volume_at(const Statement& statement, const std::string& place) {
  const auto found = std::ranges::find(statement.volumes, place, &NamedVolume::place);
  return found == statement.volumes.end() ? nullptr : &*found;
}

constexpr std::string_view kDigestPrefix = "sha256:";

std::string bare_id(const std::string& id) {
  return id.starts_with(kDigestPrefix) ? id.substr(kDigestPrefix.size()) : id;
}

// As it is known where short names mean nothing: Docker's are of its own registry.
std::string full_image_name(const std::string& name, const std::string& id) {
  if (name.empty() || id.starts_with(bare_id(name))) return id;
  const size_t slash = name.find('/');
  if (slash == std::string::npos) return "docker.io/library/" + name;
  const std::string first = name.substr(0, slash);
  const bool is_registry = first == "localhost" || first.find_first_of(".:") != std::string::npos;
  return is_registry ? name : "docker.io/" + name;
}

json options_of(const json& mount) { return mount.value("options", json::array()); }

// Mounts by whom they are made at a restore.
struct Mounts {
  json volumes = json::array();   // in libpod's words
  json others = json::array();    // what is no volume
  json all = json::array();       // both, volumes from where Podman has them
  bool has_runtimes_shm = false;  // /dev/shm is a tmpfs that the runtime mounts
};

Mounts sort_mounts(const json& spec, const Statement& statement) {
  Mounts mounts;
  for (json mount : spec.value("mounts", json::array())) {
    const std::string place = mount.at("destination");
    if (const NamedVolume* volume = volume_at(statement, place)) {
      mounts.volumes.push_back(
          {{"volumeName", volume->name}, {"dest", place}, {"options", options_of(mount)}});
      mount["source"] = engine::libpod_volume(volume->name);
      mounts.all.push_back(std::move(mount));
      continue;
    }
    if (is_bind(mount)) {
      if (std::ranges::contains(kEngineFiles, place)) continue;
      mount["type"] = "bind";
    } else if (place == "/dev/shm") {
      mounts.has_runtimes_shm = true;
    }
    mounts.others.push_back(mount);
    mounts.all.push_back(std::move(mount));
  }
  return mounts;
}

// As it is on any machine: no namespaces of other containers, no programs of this engine's.
json portable_spec(json spec, const std::string& cgroup) {
  spec.erase("hooks");
  spec["annotations"]["io.container.manager"] = "libpod";  // by which checkpointctl tells engines
  json& linux = spec["linux"];
  for (json& entry : linux["namespaces"]) entry.erase("path");
  linux["cgroupsPath"] = cgroup;
  return spec;
}

std::string user_of(const json& spec) {
  const auto uid = spec.value("/process/user/uid"_json_pointer, uint32_t{0});
  const auto gid = spec.value("/process/user/gid"_json_pointer, uint32_t{0});
  return uid == 0 && gid == 0 ? "" : formatted("{}:{}", uid, gid);
}

bool has_network(const json& spec) {
  const json namespaces = spec.value("/linux/namespaces"_json_pointer, json::array());
  return std::ranges::any_of(namespaces,
                             [](const json& one) { return one.at("type") == "network"; });
}

json config_dump(const Statement& statement, const std::string& runtime, bool has_loopback_alone,
                 const json& spec, const Mounts& mounts) {
  const std::string image_id = bare_id(statement.image_id);
  return {{"id", statement.id},
          {"name", statement.name},
          {"rootfsImageName", full_image_name(statement.image, image_id)},
          {"rootfsImageID", image_id},
          {"runtime", runtime},
          {"createdTime", statement.created},
          {"namedVolumes", mounts.volumes},
          {"logPath", statement.log.native()},
          {"user", user_of(spec)},
          {"command", spec.value("/process/args"_json_pointer, json::array())},
          {"createNetNS", has_network(spec)},
          {"noShm", mounts.has_runtimes_shm},
          {"cgroupManager", "cgroupfs"},
          {"cgroupParent", engine::kLibpodParent},
          {"idMappingsOptions", {{"HostUIDMapping", true}, {"HostGIDMapping", true}}},
          {"spec", spec},
          {engine::kMadeByKey,
           {{"engine", statement.engine}, {"hasLoopbackAlone", has_loopback_alone}}}};
}

std::string print(const json& value) {
  return value.dump(2, ' ', false, json::error_handler_t::replace);
}

}  // namespace

ArchivedForms archived_forms(const Statement& statement, const std::string& runtime,
                             bool has_loopback_alone, const std::string& cgroup,
                             std::string_view config_json) try {
  json spec = portable_spec(json::parse(config_json), cgroup);
  const Mounts mounts = sort_mounts(spec, statement);
  spec["mounts"] = mounts.others;
  const std::string config =
      print(config_dump(statement, runtime, has_loopback_alone, spec, mounts));
  spec["mounts"] = mounts.all;
  return {.config_dump = config, .spec_dump = print(spec)};
} catch (const json::exception& error) {
  throw Error(ErrorKind::kCorrupt,
              formatted("the container's config.json is damaged: {}", printable(error.what())));
}

std::string archived_cgroup(const Statement& statement, const std::string& own_cgroup) {
  return statement.image_id.empty() ? own_cgroup : engine::archived_cgroup(statement.id);
}

}  // namespace still::sources
