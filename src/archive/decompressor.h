// The other direction of compressor.h.
#pragma once

#include "archive/tree_tar.h"

namespace still::archive {

// The bytes of a source, decompressed if they start as zstd or gzip; several frames or members
// follow each other as one stream. The source throws Error(kCorrupt) for damaged data and for data
// that ends inside a frame, Error(kUnsupported) for the other compressions known by their first
// bytes.
Source decompressing_source(Source compressed);

}  // namespace still::archive
