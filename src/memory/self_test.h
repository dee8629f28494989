// Whether memory can be cut by forks on this machine, and how, found out by doing it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace still::memory {

// How CRIU is made to write images without the content of private memory.
enum class Skeleton {
  // The images are to be the difference to a parent in which all memory is said to be. CRIU does
  // not even read the page tables of what has not changed.
  kParentImage,
  // CRIU keeps the pages in pipes for somebody who asks (criu/lazy_dump.h): with nothing but
  // options of its own, and some tenths of a second for a GiB.
  kLazyPages
};
// "parent-image", "lazy-pages".
std::string to_string(Skeleton skeleton);

struct ForkCut {
  std::optional<Skeleton> skeleton;  // the best that works
  // Why there is none, or not a better one, in words for people; else empty.
  std::string reason;
};

// Dumps a process of ours without its memory, copies that by a fork, merges both and compares the
// result with the process: some tenths of a second, the first time after a boot, or with another
// CRIU, kernel or Still; then the answer is kept in `directory`, which exists.
ForkCut find_fork_cut(const std::filesystem::path& directory);

}  // namespace still::memory
