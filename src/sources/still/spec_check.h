// spec.dump against config.dump. Still restores by config.dump alone; other tools read spec.dump,
// and an archive in which the two differ is not one that its engine wrote.
#pragma once

#include <string_view>

#include "engine/container/container_config.h"

namespace still::sources {

// Throws Error(kCorrupt) naming what the runtime spec has that a container of this configuration
// has not: mounts, capabilities, devices, hooks, namespaces by path, or less of what protects the
// host (seccomp, masked and read-only paths, namespaces).
void check_spec(std::string_view spec_dump, const engine::ContainerConfig& config);

// The same for one that Podman wrote: mounts that config, made of its config.dump, does not know,
// and capabilities. What protects the host is Still's own, and what of it the processes have is
// judged by CRIU's images.
void check_podman_spec(std::string_view spec_dump, const engine::ContainerConfig& config);

}  // namespace still::sources
