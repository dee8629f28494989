// Memory that a process's children find wiped (madvise(2), MADV_WIPEONFORK). CRIU 4.1.1 knows
// nothing of that: children of what it restores would have their parent's random state, and so its
// random numbers (getrandom(3) in the vDSO relies on it, and so do libraries for cryptography).
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <vector>

#include "os/maps.h"

namespace still::criu {

// By the number of the process in its own pid namespace, as images know it.
using WipedMemory = std::map<pid_t, std::vector<AddressRange>>;

// Of processes that stand still. Those that have ended are left out. Takes its time with much
// memory. Throws Error(kSystem).
WipedMemory read_wiped_memory(const std::vector<pid_t>& processes);

// In the images it is wiped in children from here on (CRIU gives all advice that it finds there).
// On an error the images are sound, some of them changed. Throws Error(kCorrupt), Error(kSystem).
void note_wiped_memory(const std::filesystem::path& images, const WipedMemory& memory);

}  // namespace still::criu
