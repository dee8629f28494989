// Paths that come from archives and trees, resolved beneath a directory without following any link.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "os/fd.h"

namespace still {

// Whether path is relative and made of ordinary names: not empty, no NUL in it, and no part of it
// is empty, "." or "..".
bool is_plain_path(std::string_view path);

// A plain path taken apart at its last slash: "a/b/c" is "c" in "a/b", "c" is "c" in "".
struct PathParts {
  std::string parent;
  std::string name;
};
PathParts split_path(std::string_view path);

// Whether path is one of these paths or lies below one of them.
bool lies_in(std::string_view path, const std::vector<std::string>& trees);

// The directory at a plain path below root, which may be longer than PATH_MAX; "" is root itself.
// The descriptor is an O_PATH one. nullopt if there is no such directory. Throws Error(kCorrupt) if
// a part of the path, the last one included, is a symbolic link.
std::optional<Fd> open_directory_beneath(const Fd& root, const std::string& path);

}  // namespace still
