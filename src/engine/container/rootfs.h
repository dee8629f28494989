// The root file system of a container while it is mounted, and /dev/shm beside it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/container/container_config.h"
#include "engine/container/paths.h"
#include "journal/host.h"
#include "os/fd.h"

namespace still::engine {

// Layers below the writable one, the top one first: those of the image, or the --rootfs directory.
// Error(kNotFound) naming the image or the directory that is missing.
std::vector<std::filesystem::path> find_lower_layers(const journal::Host& host,
                                                     const ContainerConfig& config);

// Mounts overlay and /dev/shm, and makes the network namespace of a container without network: the
// runtime joins it, so that CRIU neither dumps nor restores it (runc would leave the restored one
// without loopback). On error nothing is mounted.
void mount_rootfs(const ContainerPaths& paths, const std::vector<std::filesystem::path>& lower,
                  const ContainerConfig& config);
// Unmounts all of them; not being mounted is no error.
void unmount_rootfs(const ContainerPaths& paths);

// Fills the empty volumes of a new container with what its root file system has at their mount
// points, with owner and mode, as Podman does. The root file system is mounted.
void fill_new_volumes(const store::Layout& layout, const ContainerPaths& paths,
                      const ContainerConfig& config);

// openat2(2) with RESOLVE_IN_ROOT: the path as a process inside would see it; no link leads out.
// nullopt if there is no such entry.
std::optional<Fd> open_in_root(const Fd& root, const std::string& path, int flags);

}  // namespace still::engine
