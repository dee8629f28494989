// Copying a directory tree into staging so that the copy is the same tree: contents with their
// holes, hard links among each other, owners, modes, times, xattrs (ACLs and trusted.* included),
// links, devices, FIFOs and socket names. An overlay's upper layer is copied literally, with its
// whiteouts and overlay xattrs.
#pragma once

#include <cstdint>
#include <filesystem>

#include "os/fd.h"

namespace still::tree {

struct CopyTotals {
  uint64_t files = 0;  // entries of any kind, the root directory not counted
  uint64_t bytes = 0;  // content of regular files, holes not counted
};

// Copies the content and metadata of the directory source into the directory target, which exists
// and is empty. File systems mounted below source are not entered; the mount point is copied as
// an empty directory. Entries that vanish while the tree is read are left out: inside the freeze
// window nothing of the container can vanish. On error the target holds an unspecified part.
// Throws Error(kSystem) naming the entry.
CopyTotals copy_tree(const Fd& source, const Fd& target);

}  // namespace still::tree
