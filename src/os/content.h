// The content of regular files, with its holes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "os/fd.h"

namespace still {

struct Extent {
  uint64_t offset = 0;
  uint64_t length = 0;
  bool operator==(const Extent&) const = default;
};

// Where the first size_bytes of a file hold data; everything between is holes. Dirty pages that
// have no blocks yet count as data, space that was only reserved does not. On a file system that
// cannot tell, all of it is data.
std::vector<Extent> data_extents(const Fd& file, uint64_t size_bytes);

// Reads as much as there is at an offset, at most size bytes; returns how much. failure: what an
// error says.
size_t read_at(const Fd& file, char* data, size_t size, uint64_t offset,
               std::string_view failure = "cannot read");
// Writes all of it there.
void write_at(const Fd& file, std::string_view data, uint64_t offset,
              std::string_view failure = "cannot write");
// Gives the space of a range back, which reads as zeros then; the size stays. False where the file
// system cannot.
bool punch_hole(const Fd& file, const Extent& range);

// Copies length bytes from one offset to another, in the kernel where that works. A source that
// ends before is no error: returns the bytes copied.
uint64_t copy_range(const Fd& source, uint64_t source_offset, const Fd& target,
                    uint64_t target_offset, uint64_t length);

}  // namespace still
