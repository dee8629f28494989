// Directories of a tree in which the one who cuts it works himself while it stands still.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tree/scan.h"

namespace still::tree {

// During a dump CRIU makes and removes directories "cr-tmpfs.XXXXXX" in the container's /tmp or /,
// to look at what is mounted over (criu/mount.c: get_clean_mnt()). They are no part of the tree,
// and the times of the directory around them are no sign of somebody outside.
class Scratch {
 public:
  Scratch() = default;
  // directories: paths in the tree, "" is the root.
  explicit Scratch(std::set<std::string> directories) : directories_(std::move(directories)) {}

  void leave_out(std::vector<ScannedDirectory>& scan) const;
  // From paths in the form of changed_between().
  void leave_out(std::set<std::string>& changed) const;

 private:
  bool is_temporary(std::string_view directory, std::string_view name) const;
  bool is_temporary(std::string_view path) const;

  std::set<std::string> directories_;
};

}  // namespace still::tree
