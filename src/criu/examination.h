// What CRIU dumps and cannot restore.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace still::criu {

// What in complete images (of CRIU 4.1.1) no restore can bring back, each as a phrase for the user;
// empty: nothing that is known. Throws Error(kCorrupt), Error(kSystem).
std::vector<std::string> find_unrestorable(const std::filesystem::path& images);

}  // namespace still::criu
