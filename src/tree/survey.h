// What there is to capture, and how that will go, found out before anything is done.
#pragma once

#include <cstdint>
#include <string>

#include "base/some_paths.h"
#include "os/fd.h"
#include "tree/method.h"

namespace still::tree {

struct Survey {
  uint64_t files = 0;  // entries of any kind, the root directory not counted
  // Content of regular files, holes not counted: by their allocated blocks, so an estimate.
  uint64_t bytes = 0;
  Method method = Method::kCopy;  // the best that works, by trying
  // A directory on a file system of its own, which no capture enters; empty: there is none.
  std::string other_file_system{};
  SomePaths devices{};  // nodes that take a capability to make (os/privileged_entries.h)
};

// source: a tree that may change meanwhile; nothing of it is touched. staging: a directory of the
// file system that a capture would go to; a clone is tried there with an unnamed file.
Survey survey_tree(const Fd& source, const Fd& staging);

}  // namespace still::tree
