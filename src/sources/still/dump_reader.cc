#include "sources/still/dump_reader.h"

#include <algorithm>
#include <iterator>

#include "engine/container/config_dump.h"
#include "sources/still/demands.h"
#include "sources/still/spec_check.h"

namespace still::sources {

bool StillDumpReader::knows(std::string_view config_dump) const {
  return engine::is_known_config_dump(config_dump);
}

subject::ArchivedContainer StillDumpReader::read(std::string_view config_dump) const {
  const engine::ArchivedContainer container = engine::parse_config_dump(config_dump);
  std::vector<std::string> volumes;
  for (const engine::VolumeMount& mount : container.config.volumes) {
    if (!std::ranges::contains(volumes, mount.volume)) volumes.push_back(mount.volume);
  }
  return {.id = container.id,
          .name = container.name,
          .cgroup = container.cgroup,
          .volumes = std::move(volumes)};
}

void StillDumpReader::check_spec(std::string_view config_dump, std::string_view spec_dump) const {
  const engine::ArchivedContainer container = engine::parse_config_dump(config_dump);
  if (container.maker == engine::Maker::kPodman) {
    check_podman_spec(spec_dump, container.config);
  } else {
    sources::check_spec(spec_dump, container.config);
  }
}

std::vector<std::string> StillDumpReader::demands(std::string_view config_dump,
                                                  const criu::ImagePrivileges& images,
                                                  const subject::PrivilegedTrees& trees) const {
  const engine::ContainerConfig config = engine::parse_config_dump(config_dump).config;
  auto result = demands_of(config);
  std::ranges::move(demands_of(images, config), std::back_inserter(result));
  for (const TreeDemand& demand : demands_of(trees)) result.push_back(describe(demand));
  return result;
}

}  // namespace still::sources
