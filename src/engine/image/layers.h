// The layers of images, unpacked once each below store::Layout::layers() in overlayfs' form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "os/fd.h"
#include "store/layout.h"

namespace still::engine {

struct Layer {
  std::string diff_id;      // SHA-256 of the uncompressed tar stream
  uint64_t size_bytes = 0;  // of that stream
};

// Unpacks a tar file of any compression, which is at its start and can be read again. OCI's
// whiteouts become overlayfs' ones. The layer appears under its name whole and durable, or not at
// all; one that exists already stays. The caller holds the lock "images". expected: the diff id
// that it must have, else Error(kCorrupt). below: the layers that it will lie on, the top one
// first, see ImpliedDirectories.
Layer unpack_layer(const store::Layout& layout, const Fd& file,
                   const std::optional<std::string>& expected,
                   const std::vector<std::filesystem::path>& below);

// Makes a layer that is a copy of a directory.
Layer copy_layer(const store::Layout& layout, const Fd& directory);

// Removes what interrupted calls of the above left. The caller holds the lock "images".
void remove_unfinished_layers(const store::Layout& layout);

}  // namespace still::engine
