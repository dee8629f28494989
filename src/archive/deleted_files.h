// The members deleted.files, paths that the checkpointed root file system has lost, and
// replaced.files, those at which it has something else that nothing of before shows through.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace still::archive {

// JSON array of paths. Paths of bytes that are no UTF-8 cannot be written as JSON strings: those
// bytes become the private-use characters U+F780 to U+F7FF (0xF700 + byte)
// and come back from them.
std::string write_deleted_files(const std::vector<std::string>& paths);
// Relative to the root file system, with no slash before; Podman's begin with the slash of its
// root. Throws Error(kCorrupt) for anything but an array of strings, and for more slashes.
std::vector<std::string> parse_deleted_files(std::string_view json);

}  // namespace still::archive
