// What is mounted in a container besides the runtime's own /proc, /dev, /sys.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/container/container_config.h"
#include "engine/container/paths.h"
#include "oci/spec.h"
#include "os/fd.h"
#include "store/layout.h"

namespace still::engine {

// Where the reaping init of --init is.
inline constexpr const char* kInitPath = "/dev/init";
// By which programs know that they are in a container.
inline constexpr const char* kContainerenvPath = "/run/.containerenv";

// "/a/../b" is "/b", "//x/" is "/x".
std::string canonical_destination(const std::string& destination);

// Finds out the places that are not known yet; root: the root file system, mounted. Returns whether
// there was one. Throws Error(kUsage) for two mounts at one place.
bool find_places(ContainerConfig& config, const Fd& root);

// A mount inside another one comes after it. Error(kNotFound) for a bind source or an init program
// that does not exist.
std::vector<oci::SpecMount> container_mounts(const store::Layout& layout,
                                             const ContainerConfig& config,
                                             const ContainerPaths& paths);

// The file systems in memory that a container has, by their places, the runtime's /dev included,
// with the size in bytes (whole pages) of those that are given one by a number.
std::map<std::string, std::optional<uint64_t>> tmpfs_sizes(const ContainerConfig& config);

}  // namespace still::engine
