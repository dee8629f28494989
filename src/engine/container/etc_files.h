// /etc/hosts, /etc/hostname and /etc/resolv.conf of a container, bind-mounted from its etc().
#pragma once

#include <array>
#include <string>

#include "engine/container/container_config.h"
#include "engine/container/paths.h"

namespace still::engine {

inline constexpr std::array kEtcFiles = {"hosts", "hostname", "resolv.conf"};

// Replaces the files. With the host's network they say what the host's say.
void write_etc_files(const ContainerPaths& paths, const ContainerConfig& config,
                     const std::string& hostname, const std::string& name);

}  // namespace still::engine
