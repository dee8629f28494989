// What the first process of a container asked for when its parent ends (PR_SET_PDEATHSIG).
#pragma once

#include <filesystem>

namespace still::criu {

// The parent of a container's first process is outside of it. CRIU makes that process as its own
// child and ends after the restore, which would send the signal and end the container: afterwards
// the images ask for none, in any thread of that process. Its children keep theirs. Throws
// Error(kCorrupt), Error(kSystem).
void forget_parent_death(const std::filesystem::path& images);

}  // namespace still::criu
