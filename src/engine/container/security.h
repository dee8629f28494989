// --security-opt, --cap-add and --cap-drop.
#pragma once

#include "engine/container/container_config.h"

namespace still::engine {

struct Security {
  bool no_new_privileges = false;
  bool seccomp = true;
};

// Throws Error(kUnsupported) naming an option that Still does not offer.
Security security_of(const ContainerConfig& config);

// Capabilities after --cap-add and --cap-drop ("ALL" in either), each once.
// Error(kUsage) for one that the kernel does not know.
std::vector<std::string> effective_capabilities(const ContainerConfig& config);

}  // namespace still::engine
