// The other direction of compressor.h.
#pragma once

#include "archive/tree_tar.h"
#include "os/fd.h"

namespace still::archive {

// The bytes of a file from its current position on, decompressed if it starts as zstd or gzip;
// several frames or members follow each other as one stream. The file must stay open while the
// source is used. The source throws Error(kCorrupt) for damaged data and for data that ends inside
// a frame, Error(kUnsupported) for the other compressions known by their first bytes.
Source decompressing_source(const Fd& file);

}  // namespace still::archive
