// Puts memory that was taken beside a dump into CRIU's images.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "memory/snapshot.h"

namespace still::memory {

struct MergeTotals {
  uint64_t written_bytes = 0;  // without pages of zeros, which need not be there
};

// The images say of what memory they lack that it is in a parent, or to be had from a server. When
// this returns it is in them, they are complete, and nothing shows how they were made. By several
// threads. poll: called between pieces; what it throws ends the work. Throws Error(kConflict) when
// a snapshot has gone or a process has none,
// Error(kCorrupt), Error(kSystem).
MergeTotals merge(const std::filesystem::path& images, const Snapshots& snapshots,
                  const std::function<void()>& poll);

}  // namespace still::memory
