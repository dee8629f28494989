// File systems that can share blocks between files: clones of files (btrfs, XFS, bcachefs) and
// btrfs subvolumes with their snapshots. Sources: ioctl_ficlone(2), <linux/btrfs.h>.
#pragma once

#include <string>

#include "os/fd.h"

namespace still {

// What came of an attempt to clone.
enum class CloneResult {
  kDone,
  kNotThisFile,  // this pair of files cannot share blocks (flags differ, a swap file): copy it
  kNever,        // these file systems cannot
};

// Makes target, open for writing, the same bytes as source: size, holes and all. Dirty pages of
// source are written to disk first. Throws Error(kSystem) for anything but "cannot" (no space,
// I/O error); target is then unspecified.
CloneResult clone_content(const Fd& source, const Fd& target);

// Whether an open directory is the root of a btrfs subvolume.
bool is_subvolume(const Fd& directory);
// Makes an empty subvolume, mode 0755. False where the file system has none.
bool make_subvolume(const Fd& parent, const std::string& name);
// Makes a read-only snapshot of a subvolume. False if source is none, or one of another file
// system. Throws Error(kSystem) for other failures.
bool snapshot_subvolume(const Fd& source, const Fd& parent, const std::string& name);
// Removes a subvolume with all its content. Throws Error(kSystem).
void remove_subvolume(const Fd& parent, const std::string& name);

}  // namespace still
