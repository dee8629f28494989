// The front of an archive, where the manifest is.
#pragma once

#include <cstddef>
#include <string>

#include "archive/writer.h"

namespace still::archive {

// The outer tar's first member, holding json under this name, as a frame of its own that takes
// exactly room bytes of the file (at most kMaxRoom): what is left is filled in a way that every
// decoder skips. If it does not fit, the result is longer than room.
inline constexpr size_t kMaxRoom = size_t{64} << 10;  // gzip's extra field has 16 bits of size
std::string pack_front(Compression compression, const std::string& member, std::string json,
                       size_t room);

}  // namespace still::archive
