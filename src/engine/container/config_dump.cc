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
    volumes.push_back({{"volumeName", volume.volume},
                       {"dest", volume.destination},
                       {"options", {volume.read_only ? "ro" : "rw"}}});
  }
  return volumes;
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
      {"logPath", container.paths().log()},
      {"logDriver", config.log_driver},
      {"ShmDir", container.paths().shm()},
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
  return spec.dump(2, ' ', false, json::error_handler_t::replace);
}

}  // namespace still::engine
