// Bytes that nobody can guess.
#pragma once

#include <cstddef>
#include <string>

namespace still {

// count: at most 256, so that they come at once and whole. Throws Error(kSystem).
std::string random_bytes(size_t count);

}  // namespace still
