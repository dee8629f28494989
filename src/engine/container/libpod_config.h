// Configurations of Podman's containers, as its archives have them in config.dump: libpod's
// ContainerConfig.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "engine/container/container_config.h"

namespace still::engine {

// Podman's cgroup for the cgroups of its containers, with its driver "cgroupfs".
inline constexpr const char* kLibpodParent = "/libpod_parent";

// A network that Podman makes and Still does not offer; as ContainerConfig::network.
inline constexpr const char* kPodmanNetwork = "bridge";

// The key of what is not libpod's, in a configuration that Still wrote of a container of another
// engine: an object with "engine" (its name) and "hasLoopbackAlone" (of its network namespace).
inline constexpr const char* kMadeByKey = "madeBy";

// Whether it is such a configuration. Throws nlohmann::json::exception for what is no object.
bool is_libpod_config(const nlohmann::json& dump);

// The same container as one of Still's. What Podman keeps for itself (paths of its own, the cgroup,
// health checks, how its log is written) is left out, as are limits that Still does not set
// (other_libpod_limits()). Throws nlohmann::json::exception for a damaged configuration,
// Error(kCorrupt) naming the key, and Error(kUnsupported) for what Still cannot give a container:
// namespaces shared with other containers, mapped users, devices, secrets, volumes of other kinds,
// all that --privileged is.
ContainerConfig from_libpod_config(const nlohmann::json& dump);

// Limits of its cgroup that containers of Still's do not have, as paths in the runtime spec's
// "resources": "cpu/shares".
std::vector<std::string> other_libpod_limits(const nlohmann::json& dump);

// Where Podman keeps the content of a volume, if its storage is where it is by default.
std::filesystem::path libpod_volume(const std::string& name);

// The cgroup that Podman makes for a container without being told where, by its driver "cgroupfs".
std::string usual_libpod_cgroup(const std::string& id);
// The cgroup that Podman has made for it, as a path below the hierarchies' mounts; empty: none.
std::string libpod_cgroup(const nlohmann::json& dump);

}  // namespace still::engine
