// What the OCI runtime gets to see of a container: config.json and the files it binds into /etc.
#pragma once

#include <string>

#include "engine/container/container_config.h"
#include "engine/container/paths.h"
#include "oci/spec.h"
#include "store/layout.h"

namespace still::engine {

// What a container is called, apart from its configuration.
struct Identity {
  std::string id;
  std::string name;
};

// The cgroup that the runtime makes for a container, within every hierarchy.
std::string cgroup_path(const ContainerConfig& config, const std::string& id);

// What UTS name it has: --hostname, else with the host's network the host's, else the short id.
std::string hostname_of(const ContainerConfig& config, const std::string& id);

// The process inside: arguments, environment and user, resolved against the mounted rootfs.
oci::ProcessSettings process_settings(const Identity& identity, const ContainerConfig& config,
                                      const ContainerPaths& paths);

// Everything of config.json. The root file system is mounted.
oci::SpecSettings spec_settings(const store::Layout& layout, const Identity& identity,
                                const ContainerConfig& config, const ContainerPaths& paths);

// Writes bundle(), and makes what is missing in etc(). Throws Error(kNotFound) for users, bind
// sources and helper programs that do not exist, Error(kUnsupported) for settings that Still does
// not offer.
void write_bundle(const store::Layout& layout, const Identity& identity,
                  const ContainerConfig& config, const ContainerPaths& paths);

}  // namespace still::engine
