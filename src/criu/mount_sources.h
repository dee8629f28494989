// Mounts that the runtime provides, whose sources were replaced while they were mounted.
#pragma once

#include <filesystem>

namespace still::criu {

// CRIU takes such a mount for one of a file that nobody has any more, and tries to make the file
// anew at the name of its source, on the host: which fails where there is another one, and would be
// none of its business where there is none. Afterwards the images do not say so, and what the
// source is now is mounted. Throws Error(kCorrupt), Error(kSystem).
void forget_replaced_sources(const std::filesystem::path& images);

}  // namespace still::criu
