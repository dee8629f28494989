// Podman's database, read.
#pragma once

#include <filesystem>
#include <string>

namespace still::sources {

// What it has of a container beyond what Podman tells.
struct PodmanRecord {
  std::string config;          // libpod's own ContainerConfig, JSON: what its archives have
  std::string network_status;  // JSON; "null" without a network
};

// graph_root: where Podman keeps its storage. Throws Error(kUnsupported) if its database is of
// another kind (before Podman 5 that was BoltDB), Error(kNotFound) if it does not have the
// container, Error(kRuntime) if it cannot be read.
PodmanRecord read_podman_record(const std::filesystem::path& graph_root, const std::string& id);

}  // namespace still::sources
