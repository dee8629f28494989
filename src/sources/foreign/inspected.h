// What `podman container inspect` and `docker container inspect` print of a container in the same
// words. Plain computation. All throw nlohmann::json::exception.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "sources/foreign/held.h"

namespace still::sources {

// nullopt: it does not name them.
std::optional<Layers> layers_in(const nlohmann::json& inspected);

// Throws Error(kUnsupported) for a volume of another driver than "local". container: its name, for
// that.
std::vector<NamedVolume> volumes_in(const nlohmann::json& inspected, const std::string& container);

// Of inspected containers the ids of those that write to one of the volumes.
std::vector<std::string> writers_to(const nlohmann::json& inspected,
                                    const std::vector<NamedVolume>& volumes);

// What lists those that use one of the volumes and run, by their ids: arguments for either engine.
std::vector<std::string> list_users_of(const std::vector<NamedVolume>& volumes);

}  // namespace still::sources
