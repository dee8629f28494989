// spec.dump against config.dump. Still restores by config.dump alone; other tools read spec.dump,
// and an archive in which the two differ is not one that Still wrote.
#pragma once

#include <string_view>

#include "engine/container/container_config.h"

namespace still::sources {

// Throws Error(kCorrupt) naming what the runtime spec has that a container of this configuration
// has not: mounts, capabilities, devices, hooks, namespaces by path, or less of what protects the
// host (seccomp, masked and read-only paths, namespaces).
void check_spec(std::string_view spec_dump, const engine::ContainerConfig& config);

}  // namespace still::sources
