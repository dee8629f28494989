#include "sources/foreign/inspected.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace still::sources {

using nlohmann::json;

std::optional<Layers> layers_in(const json& inspected) {
  const json driver = inspected.value("GraphDriver", json());
  const json data = driver.is_object() ? driver.value("Data", json()) : json();
  if (!data.is_object() || !data.contains("UpperDir")) return std::nullopt;
  Layers layers{.upper = data.at("UpperDir").get<std::string>(), .lower = {}};
  for (const std::string& layer : split(data.value("LowerDir", ""), ':')) {
    if (!layer.empty()) layers.lower.emplace_back(layer);
  }
  return layers;
}

std::vector<NamedVolume> volumes_in(const json& inspected, const std::string& container) {
  std::vector<NamedVolume> volumes;
  for (const json& mount : inspected.value("Mounts", json::array())) {
    if (mount.at("Type") != "volume") continue;
    const std::string name = mount.at("Name");
    const std::string driver = mount.value("Driver", "local");
    if (driver != "local") {
      throw Error(ErrorKind::kUnsupported,
                  formatted("volume {} of container {} is another driver's ({}), and Still does "
                            "not know where its content is",
                            printable(name), container, printable(driver)),
                  "have it use a local volume");
    }
    volumes.push_back({.name = name,
                       .source = mount.at("Source").get<std::string>(),
                       .place = mount.at("Destination")});
  }
  return volumes;
}

std::vector<std::string> writers_to(const json& inspected,
                                    const std::vector<NamedVolume>& volumes) {
  std::vector<std::string> ids;
  for (const json& container : inspected) {
    const json mounts = container.value("Mounts", json::array());
    const bool writes = std::ranges::any_of(mounts, [&](const json& mount) {
      return mount.value("Type", "") == "volume" && mount.value("RW", true) &&
             std::ranges::contains(volumes, mount.value("Name", ""), &NamedVolume::name);
    });
    if (writes) ids.push_back(container.at("Id"));
  }
  return ids;
}

std::vector<std::string> list_users_of(const std::vector<NamedVolume>& volumes) {
  std::vector<std::string> arguments = {"ps", "--quiet", "--no-trunc"};
  for (const NamedVolume& volume : volumes) arguments.push_back("--filter=volume=" + volume.name);
  return arguments;
}

}  // namespace still::sources
