// The compression of the outer tar: a stream of frames (zstd), members (gzip) or plain bytes. Each
// format allows several of them one after the other; the archive has one for its manifest and one
// for the rest.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "archive/tree_tar.h"
#include "archive/writer.h"

namespace still::archive {

class Compressor {
 public:
  virtual ~Compressor() = default;
  virtual void write(std::string_view data) = 0;
  // Writes what is still held back and the checksum.
  virtual void finish() = 0;
};

// Compressed bytes go to sink. zstd uses all processors.
std::unique_ptr<Compressor> make_compressor(Compression compression, Sink sink);

}  // namespace still::archive
