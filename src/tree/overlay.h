// What an overlay's upper layer says about the root file system: which entries of the layers below
// it removed or replaced. Source: Documentation/filesystems/overlayfs.rst of Linux. Of the two
// forms of whiteouts only character devices 0/0 matter: the kernel makes no others, and the xattr
// form (with opaque "x") is for layers that were prepared by tools for nesting.
#pragma once

#include <string>
#include <vector>

#include "os/fd.h"

namespace still::tree {

// Paths ("a/b", relative, any bytes), each list sorted.
struct Removals {
  // Entries of the lower layers that the merged tree has not: those with a whiteout, and those that
  // a directory of the upper layer hides. A directory stands for everything below it. Since the
  // upper layer has nothing there, it is all the same whether they are removed before its content
  // is laid over the lower layers or afterwards.
  std::vector<std::string> gone;
  // Entries of the lower layers that are to be removed before, because others of the same name take
  // their place: directories that were removed and made anew (opaque), but for those that hold an
  // excluded path, and entries whose kind changed between directory and non-directory.
  std::vector<std::string> replaced;
};
// upper: the upper layer or a literal copy of it. lower: the layers below, the top one first.
// excluded: paths (and everything below them) to leave out.
Removals removed_paths(const Fd& upper, const std::vector<Fd>& lower,
                       const std::vector<std::string>& excluded);

// Removes the paths from the tree below root, for restore. Paths come from an archive: no part of
// them may be a link, but the entry itself may. An entry that does not exist is no error. Throws
// Error(kCorrupt) naming a path that is absolute, empty, has "." or ".." parts or leads through a
// link; what was before it in the list is removed then.
void remove_paths(const Fd& root, const std::vector<std::string>& paths);
// What of this can be told without a tree: throws for the same paths, but for links.
void check_removable(const std::vector<std::string>& paths);

}  // namespace still::tree
