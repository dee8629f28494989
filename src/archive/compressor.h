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

// The outer tar's first member, holding json under this name, as a frame of its own that takes
// exactly room bytes of the file (at most kMaxRoom): what is left is filled in a way that every
// decoder skips. If it does not fit, the result is longer than room.
inline constexpr size_t kMaxRoom = size_t{64} << 10;  // gzip's extra field has 16 bits of size
std::string pack_front(Compression compression, const std::string& member, std::string json,
                       size_t room);

}  // namespace still::archive
