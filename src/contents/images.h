// CRIU's images among the members of an archive.
#pragma once

#include <cstdint>
#include <string>

namespace still::contents {

// The image that a member is, by the name that CRIU gives it; empty: it is none.
std::string image_of(const std::string& member);

// Of all images together, without the pages of memory, so much is kept to be looked at: enough for
// a container of ten thousand processes.
class KeptImages {
 public:
  // Before one is kept. Throws Error(kCorrupt) for one too many.
  void add(uint64_t size_bytes);

 private:
  uint64_t bytes_ = 0;
};

}  // namespace still::contents
