// An image in an OCI layout directory (index.json, blobs/), which is not trusted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "os/fd.h"

namespace still::engine {

struct OciBlob {
  std::string sha256;  // 64 hexadecimal digits
  uint64_t size_bytes = 0;
};

struct OciImage {
  std::string id;                     // SHA-256 of the configuration
  std::string config_json;            // verified
  std::vector<OciBlob> layers;        // bottom first
  std::vector<std::string> diff_ids;  // of the same layers
  std::vector<std::string> names;     // as annotated, unchanged
};

// All images of the layout that this machine can run. Manifests and configurations are verified.
// Throws Error(kCorrupt) for a damaged one, Error(kUnsupported) if none is for this machine.
std::vector<OciImage> read_oci_layout(const Fd& directory);

// Opens the blob and verifies its digest; the position is at its start.
Fd open_blob(const Fd& directory, const OciBlob& blob);

}  // namespace still::engine
