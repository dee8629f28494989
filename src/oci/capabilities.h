// Capabilities by name.
#pragma once

#include <string>
#include <vector>

namespace still::oci {

// Podman's default capabilities for containers run by root.
const std::vector<std::string>& default_capabilities();

// Every capability that this process could hand on: those in its bounding set.
std::vector<std::string> all_capabilities();

// "NET_ADMIN" and "cap_net_admin" as "CAP_NET_ADMIN"; Error(kUsage) if the kernel knows none such.
std::string normalize_capability(const std::string& name);

// "CAP_CHOWN" for 0; "capability 63" for one without a name.
std::string capability_name(int number);

}  // namespace still::oci
