// The flags of an inode (chattr(1)) that decide what can be done with it: append-only, immutable.
#pragma once

#include <cstdint>

#include "os/fd.h"

namespace still {

// FS_APPEND_FL and FS_IMMUTABLE_FL of linux/fs.h. The other flags say how a file is stored, and go
// over to what is made in a directory: a copy has those of its place.
inline constexpr uint32_t kAppendOnly = 0x20;
inline constexpr uint32_t kImmutable = 0x10;

// The two above, of an entry of any kind, O_PATH descriptors too; none where the file system does
// not have them. Throws Error(kSystem).
uint32_t read_inode_flags(const Fd& entry);

// Sets the two above to what is given. opened: a regular file or directory, open for reading.
// false: the file system does not have them, or this process lacks CAP_LINUX_IMMUTABLE. Throws
// Error(kSystem).
bool write_inode_flags(const Fd& opened, uint32_t flags);

}  // namespace still
