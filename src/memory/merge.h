// Puts the memory of copies into CRIU's images.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "memory/fork_copy.h"

namespace still::memory {

struct MergeTotals {
  uint64_t written_bytes = 0;  // without pages of zeros, which need not be there
};

// The images say of what memory they lack that it is in a parent, or to be had from a server. When
// this returns it is in them, they are complete, and nothing shows how they were made. By several
// threads. poll: called between pieces; what it throws ends the work. Throws Error(kConflict) when
// a copy has been killed (by the kernel when memory was short) or a process has none,
// Error(kCorrupt), Error(kSystem).
MergeTotals merge(const std::filesystem::path& images, const std::vector<Copy>& copies,
                  const std::function<void()>& poll);

}  // namespace still::memory
