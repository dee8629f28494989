// What a copy by a fork holds, as a snapshot.
#pragma once

#include "memory/fork_copy.h"
#include "memory/snapshot.h"

namespace still::memory {

// Each as it is to be: what the child shows, corrected. copies must outlive them. Throws
// Error(kConflict) when a copy has ended.
Snapshots snapshots_of(const std::vector<Copy>& copies);

}  // namespace still::memory
