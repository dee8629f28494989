// The mode of the root directory in CRIU's images.
#pragma once

#include <filesystem>
#include <string>

namespace still::criu {

// CRIU opens "/" for processes that are there only if it has the mode that it had at the dump.
// Which one it has is each engine's own affair: Podman's layers have 0555 whatever the image said,
// and a tar file need not have an entry for it. Afterwards the images do not say. Throws
// Error(kCorrupt), Error(kSystem).
void forget_root_mode(const std::filesystem::path& images);
// Returns what files.img would be then.
std::string without_root_mode(const std::filesystem::path& images);

}  // namespace still::criu
