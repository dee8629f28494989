// How much is in a directory.
#pragma once

#include <cstdint>
#include <filesystem>

namespace still {

// Bytes of the regular files in it and below it, or of the file that it is; links are not followed.
// 0 for what is not there, and without what goes while it is counted.
uint64_t tree_size(const std::filesystem::path& path);

}  // namespace still
