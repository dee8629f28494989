// The ways to capture a tree.
#pragma once

#include <string>

namespace still::tree {

enum class Method {
  kCopy,      // all of it in the cut
  kPreCopy,   // copied before, the difference in the cut
  kClone,     // the same with shared blocks
  kSnapshot,  // of a btrfs subvolume, in the cut
};

// As the manifest names it: "copy", "pre-copy", "clone", "snapshot".
std::string to_string(Method method);
// Whether the captured tree takes the disk as much as the tree itself.
bool takes_space(Method method);

}  // namespace still::tree
