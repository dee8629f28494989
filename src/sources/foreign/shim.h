// What containerd's shim was told of a container of its own, or of Docker's.
#pragma once

#include <filesystem>
#include <string>

#include "sources/foreign/held.h"

namespace still::sources {

// Completes the statement by the bundle, the OCI runtime and its root. state: where containerd
// keeps what runs ("/run/containerd"). One that does not run has none: nothing changes.
void read_shim(Statement& statement, const std::filesystem::path& state,
               const std::string& name_space);

}  // namespace still::sources
