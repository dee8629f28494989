// Which paths of a stream have come, and what they were. An archive decides how many there are and
// how long they are, so they are kept as digests: 16 bytes in a table of which a third is free.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace still::archive {

class SeenPaths {
 public:
  enum class Kind : uint8_t { kImplied = 1, kDirectory, kOther };

  SeenPaths();
  std::optional<Kind> find(std::string_view path) const;
  // New, or in place of what it was.
  void put(std::string_view path, Kind kind);
  size_t size() const { return size_; }

 private:
  // Of SHA-256, 126 bits: nobody finds two paths with the same. The last two are the kind; in a
  // free slot they are zero.
  struct Slot {
    uint64_t high = 0;
    uint64_t low = 0;
  };

  static Slot digest_of(std::string_view path);
  // Where it is, or where it would be.
  size_t place_of(const Slot& digest) const;
  void grow();

  std::vector<Slot> slots_;  // a power of two of them
  size_t size_ = 0;
};

}  // namespace still::archive
