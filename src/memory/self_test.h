// Whether memory can be cut by forks on this machine, found out by doing it.
#pragma once

#include <filesystem>
#include <string>

namespace still::memory {

// Dumps a process of ours without its memory, copies that by a fork, merges both and compares the
// result with the process: some tenths of a second, the first time after a boot, or with another
// CRIU, kernel or Still; then the answer is kept in `directory`, which exists. Empty if it works,
// else why it does not, in words for people.
std::string why_fork_cut_fails(const std::filesystem::path& directory);

}  // namespace still::memory
