// What CRIU writes while a container stands still, beside the memory of its processes alone.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "cut/deleted_files.h"

namespace still::checkpoint {

struct Written {
  uint64_t deleted_file_bytes = 0;   // files without a name that are open or mapped
  uint64_t copied_before_bytes = 0;  // others of these, which CRIU does not write
  uint64_t pipe_bytes = 0;           // what nobody has read yet
  uint64_t shared_memory_bytes = 0;  // memory that processes can share: anonymous, memfd, System V
};

// copied_before: which files those are; null: none. Each thing counts once, however many have it.
// Takes the moments that it takes to look at every descriptor and mapping; what vanishes meanwhile
// is left out.
Written written_by_criu(const std::vector<pid_t>& processes,
                        const cut::CopiedBefore* copied_before);

}  // namespace still::checkpoint
