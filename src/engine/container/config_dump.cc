#include "engine/container/config_dump.h"

#include <nlohmann/json.hpp>

#include "archive/members.h"
#include "base/error.h"
#include "engine/container/bundle.h"
#include "engine/container/libpod_config.h"
#include "oci/runtime.h"
#include "os/clock.h"
#include "os/files.h"

namespace still::engine {
namespace {

using nlohmann::json;

constexpr const char* kOwnKey = "still";

json named_volumes(const ContainerConfig& config) {
  json volumes = json::array();
  for (const VolumeMount& volume : config.volumes) {
    volumes.push_back(
        {{"volumeName", volume.volume},
         {"dest", volume.destination},
         {"options", {volume.read_only ? "ro" : "rw", "rprivate", "nosuid", "nodev", "rbind"}}});
  }
  return volumes;
}

bool is_below(const std::filesystem::path& path, const std::filesystem::path& directory) {
  const auto rest = path.lexically_relative(directory);
  return !rest.empty() && *rest.begin() != "..";
}

// Without those of the engine's own files: Podman has its own for each.
json portable_mounts(const json& mounts, const Container& container) {
  json result = json::array();
  for (json mount : mounts) {
    const bool is_bind = mount.at("type") == "bind";
    if (is_bind && is_below(mount.at("source").get<std::string>(), container.paths().base)) {
      continue;
    }
    for (const VolumeMount& volume : container.config().volumes) {
      if (mount.at("destination") == place_of(volume))
        mount["source"] = libpod_volume(volume.volume);
    }
    result.push_back(std::move(mount));
  }
  return result;
}

ArchivedContainer parse_own(const json& dump) {
  ArchivedContainer container{.id = dump.at("id"),
                              .name = dump.at("name"),
                              .config = parse_container_config(dump.at(kOwnKey).dump())};
  container.config.cgroup.clear();
  container.cgroup = cgroup_path(container.config, container.id);
  return container;
}

ArchivedContainer parse_libpod(const json& dump) {
  if (!is_libpod_config(dump)) {
    throw Error(ErrorKind::kUnsupported, "the archive was written neither by Still nor by Podman",
                "restore it with the engine that wrote it");
  }
  return {.maker = Maker::kPodman,
          .id = dump.at("id"),
          .name = dump.at("name"),
          .config = from_libpod_config(dump),
          .cgroup = libpod_cgroup(dump),
          .left_out = other_libpod_limits(dump)};
}

}  // namespace

std::string write_config_dump(const Container& container) {
  ContainerConfig config = container.config();
  config.cgroup.clear();
  const json dump = {
      {"id", container.id()},
      {"name", container.name()},
      {"rootfsImageID", config.image_id},
      {"rootfsImageName", config.image},
      {"rootfs", config.rootfs},
      {"namedVolumes", named_volumes(config)},
      {"runtime", config.runtime},
      {"createdTime", rfc3339(container.record().created_at)},
      {"noCgroups", !config.cgroups},
      {"logDriver", config.log_driver},
      // In which no network is. Without one Podman has no /etc/resolv.conf for the container, and
      // CRIU nothing to mount there.
      {"createNetNS", config.network == "none"},
      {"cgroupManager", "cgroupfs"},
      {"cgroupParent", kLibpodParent},
      {"idMappingsOptions", {{"HostUIDMapping", true}, {"HostGIDMapping", true}}},
      {"command", config.arguments},
      {"labels", config.labels},
      {"user", config.user},
      {"stdin", config.open_stdin},
      {"shmSize", config.shm_size_bytes},
      {"stopSignal", config.stop_signal},
      {"stopTimeout", config.stop_timeout_seconds},
      {kOwnKey, json::parse(to_json(config))},
  };
  return dump.dump(2, ' ', false, json::error_handler_t::replace);
}

bool is_known_config_dump(std::string_view text) try {
  const json dump = json::parse(text);
  return dump.contains(kOwnKey) || is_libpod_config(dump);
} catch (const json::exception& error) {
  throw archive::damaged_member(archive::MemberKind::kConfig, error);
}

ArchivedContainer parse_config_dump(std::string_view text) try {
  const json dump = json::parse(text);
  return dump.contains(kOwnKey) ? parse_own(dump) : parse_libpod(dump);
} catch (const json::exception& error) {
  throw archive::damaged_member(archive::MemberKind::kConfig, error);
}

std::string write_spec_dump(const Container& container) {
  json spec = json::parse(read_file(container.paths().bundle() / "config.json"));
  spec["annotations"].erase(oci::kCriuConfigurationAnnotation);  // a path of this machine
  spec["annotations"]["io.container.manager"] = "libpod";
  spec["mounts"] = portable_mounts(spec.at("mounts"), container);
  json& linux = spec.at("linux");
  for (json& entry : linux.at("namespaces")) entry.erase("path");
  if (linux.contains("cgroupsPath")) linux["cgroupsPath"] = archived_cgroup(container.id());
  return spec.dump(2, ' ', false, json::error_handler_t::replace);
}

std::string archived_cgroup(const std::string& container_id) {
  return usual_libpod_cgroup(container_id);
}

}  // namespace still::engine
