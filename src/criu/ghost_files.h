// Files in CRIU's images that have no name: their content is in the images ("ghost-file-N.img").
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "os/fd.h"

namespace still::criu {

struct GhostFile {
  std::filesystem::path image;
  uint64_t inode = 0;
  bool is_empty = false;  // the image has no content, or the file is a hole
};
// Throws Error(kCorrupt), Error(kSystem).
std::vector<GhostFile> ghost_files_of(const std::filesystem::path& images);

// Puts the content into an image that has none; CRIU has written it for a file of the same size.
// Throws Error(kSystem).
void fill_ghost_file(const std::filesystem::path& image, const Fd& content);

}  // namespace still::criu
