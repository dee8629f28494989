// What is mounted in a container besides the runtime's own /proc, /dev, /sys.
#pragma once

#include <vector>

#include "engine/container/container_config.h"
#include "engine/container/paths.h"
#include "oci/spec.h"
#include "store/layout.h"

namespace still::engine {

// Where the reaping init of --init is.
inline constexpr const char* kInitPath = "/dev/init";

// A mount inside another one comes after it. Error(kNotFound) for a bind source or an init program
// that does not exist.
std::vector<oci::SpecMount> container_mounts(const store::Layout& layout,
                                             const ContainerConfig& config,
                                             const ContainerPaths& paths);

}  // namespace still::engine
