// Walking a directory tree by descriptors (openat), so that paths of any length and depth work, no
// link is followed and a directory that is swapped for a link on the way leads nowhere else.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "os/fd.h"

namespace still {

struct WalkOptions {
  // Whether to descend into directories that lie on another device than the root of the walk. Such
  // a directory itself is reported either way.
  bool cross_file_systems = false;
  // Report entries of a directory in byte order of their names: two walks of equal trees are then
  // equal. Otherwise in the order of the file system, which is faster.
  bool sorted = false;
};

struct WalkEntry {
  enum Kind {
    kDirectoryEnter,  // a directory, before its entries
    kDirectoryLeave,  // the same directory, after its entries
    kOther,           // anything else: regular file, link, device, FIFO, socket
  };
  Kind kind;
  const Fd& parent;           // the open directory that holds the entry
  const std::string& name;    // the entry's name in it
  const std::string& path;    // relative to the root of the walk: "a/b/c"; any bytes but NUL
  const struct stat& status;  // as lstat sees it; at kDirectoryLeave still that of the entry
};

// Calls visit for every entry below root; root itself is not reported. Entries that vanish during
// the walk are left out. Throws Error(kSystem) with the path as context, and whatever visit throws.
// Open descriptors: one per level of depth while within the first 64 levels; deeper levels are
// reopened through ".." and verified, so that depth is not bounded by the descriptor limit.
void walk_tree(const Fd& root, const WalkOptions& options,
               const std::function<void(const WalkEntry&)>& visit);

// The names in one directory without "." and "..", in the order of the file system. One that has
// been removed since it was opened has none. most: no more of them than that.
std::vector<std::string> list_names(const Fd& directory, size_t most = SIZE_MAX);

}  // namespace still
