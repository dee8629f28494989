// Room on the file system that an archive is unpacked to.
#pragma once

#include <cstdint>

#include "os/fd.h"

namespace still::archive {

// Throws Error(kSystem) if the file system of the open file has less than size_bytes left. What is
// small is not asked about: writing it will tell.
void require_room(const Fd& file, uint64_t size_bytes);

}  // namespace still::archive
