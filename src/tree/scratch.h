// Directories of a tree in which the one who cuts it works himself while it stands still.
#pragma once

#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "os/fd.h"
#include "tree/scan.h"

namespace still::tree {

// During a dump CRIU makes and removes directories "cr-tmpfs.XXXXXX" in the container's /tmp or /,
// to look at what is mounted over (criu/mount.c: get_clean_mnt()). They are no part of the tree,
// and the times of the directory around them are no sign of somebody outside. The name alone says
// nothing, for the tree's owner may have such files: CRIU's are directories as mkdtemp(3) makes
// them for root, made while the owner stands still, and gone when the dump is over.
class Scratch {
 public:
  Scratch() = default;
  // directories: paths in the tree, "" is the root.
  explicit Scratch(std::set<std::string> directories) : directories_(std::move(directories)) {}

  // From a look at the tree, which stands still since frozen_at (wall clock).
  void leave_out(std::vector<ScannedDirectory>& scan, std::chrono::nanoseconds frozen_at) const;
  // From paths in the form of changed_between(); tree: its root, after the dump.
  void leave_out(std::set<std::string>& changed, const Fd& tree) const;

 private:
  bool may_be_temporary(std::string_view directory, std::string_view name) const;

  std::set<std::string> directories_;
};

}  // namespace still::tree
