// What an overlay's upper layer says about the root file system: which entries of the layers below
// it removed or replaced. Source: Documentation/filesystems/overlayfs.rst of Linux. Of the two
// forms of whiteouts only character devices 0/0 matter: the kernel makes no others, and the xattr
// form (with opaque "x") is for layers that were prepared by tools for nesting.
#pragma once

#include <string>
#include <vector>

#include "os/fd.h"

namespace still::tree {

// Paths ("a/b", relative, any bytes) of the merged tree that must be removed before the content of
// the upper layer is laid over the lower layers: entries with a whiteout, directories that were
// removed and made anew (opaque), and entries whose kind changed between directory and
// non-directory. A removed directory stands for everything below it. Of an opaque directory that
// holds an excluded path, what it hides is listed instead. Sorted.
// upper: the upper layer or a literal copy of it. lower: the layers below, the top one first.
// excluded: paths (and everything below them) to leave out.
std::vector<std::string> removed_paths(const Fd& upper, const std::vector<Fd>& lower,
                                       const std::vector<std::string>& excluded);

// Removes the paths from the tree below root, for restore. Paths come from an archive: no part of
// them may be a link, but the entry itself may. An entry that does not exist is no error. Throws
// Error(kCorrupt) naming a path that is absolute, empty, has "." or ".." parts or leads through a
// link; what was before it in the list is removed then.
void remove_paths(const Fd& root, const std::vector<std::string>& paths);
// What of this can be told without a tree: throws for the same paths, but for links.
void check_removable(const std::vector<std::string>& paths);

}  // namespace still::tree
