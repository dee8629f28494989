// Tar streams (pax), member by member, over libarchive: the one place that knows that library.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "archive/tree_tar.h"
#include "os/content.h"
#include "os/metadata.h"

namespace still::archive {

// One member's header. Names and link targets are bytes, not text.
struct TarMember {
  std::string name;         // of directories with or without the closing slash
  Metadata metadata;        // the kind is in its mode; access times are not stored
  uint64_t size_bytes = 0;  // content, holes included
  // Where a sparse file has data, in order; nullopt: all of it is data.
  std::optional<std::vector<Extent>> data;
  std::string link_target;  // of a symbolic link
  // The name of an earlier member that this one is another name of. Content and metadata are that
  // member's.
  std::string hard_link;
  dev_t device = 0;  // of device nodes
};

class TarWriter {
 public:
  // kExact: times in nanoseconds, at the price of an extra header for every member. kCompact:
  // whole seconds and, where a member's name and numbers allow it, a plain ustar header.
  enum class Detail { kExact, kCompact };

  TarWriter(Sink sink, Detail detail);
  TarWriter(const TarWriter&) = delete;
  TarWriter& operator=(const TarWriter&) = delete;
  ~TarWriter();

  void begin(const TarMember& member);
  // The content in order, holes included: exactly size_bytes between begin() and end(). What falls
  // into holes is not looked at. Throws Error(kConflict) for more.
  void write(std::string_view data);
  void write_zeros(uint64_t count);
  // Throws Error(kConflict) if less was written than the member's size.
  void end();
  // The end-of-archive mark. Without it the stream just stops.
  void finish();

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

class TarReader {
 public:
  explicit TarReader(Source source);
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;
  ~TarReader();

  // The next member, the rest of the one before skipped; nullopt at the end of the archive. Throws
  // Error(kCorrupt) for what is no tar stream.
  std::optional<TarMember> next();

  struct Block {
    uint64_t offset;        // in the content; holes are left out
    std::string_view data;  // valid until the next call
  };
  // The next piece of the current member's content; nullopt at its end.
  std::optional<Block> read();

  // After next() returned nullopt: reads the source to its end and checks that the stream was
  // whole, that is, ends with the end-of-archive mark. Throws Error(kCorrupt).
  void finish();

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace still::archive
