// The network namespace in CRIU's images.
#pragma once

#include <filesystem>

namespace still::criu {

// For a restore: the processes get the network namespace that the runtime provides, whatever the
// images say of theirs, and nothing of a network is set up from them: for that CRIU would run
// programs of the host. Throws Error(kCorrupt), Error(kSystem).
void use_provided_network(const std::filesystem::path& images);

}  // namespace still::criu
