// The network namespace in CRIU's images.
#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace still::criu {

// For a restore: the processes get the network namespace that the runtime provides, whatever the
// images say of theirs, and nothing of a network is set up from them: for that CRIU would run
// programs of the host. Throws Error(kCorrupt), Error(kSystem).
void use_provided_network(const std::filesystem::path& images);

// The files, by name, for images that any runtime can restore: where the processes have a network
// namespace of their own it is one with a loopback device, which is up, and nothing else. Empty:
// they have the host's. Throws as above.
std::map<std::string, std::string> own_network(const std::filesystem::path& images);

}  // namespace still::criu
