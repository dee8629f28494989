// Whether memory can be cut without CRIU on this machine, and how, found out by doing it.
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
  // CRIU finds no page at all, and the images have no list of them: for those who know which there
  // are.
  kNoPages,
  // CRIU keeps the pages in pipes for somebody who asks (criu/lazy_dump.h): with nothing but
  // options of its own, and some tenths of a second for a GiB.
  kLazyPages
};
// "parent-image", "no-pages", "lazy-pages".
std::string to_string(Skeleton skeleton);

struct MemoryCut {
  std::optional<Skeleton> skeleton;  // the best that works
  // Why there is none, or not a better one, in words for people; else empty.
  std::string reason;
  // With it what is copied under write protection is brought in.
  std::optional<Skeleton> protection;
  std::string protects_not_because;  // in words for people; empty if it is
};

// Dumps a process of ours without its memory, copies that by a fork and under write protection,
// merges both and compares the result with the process: some tenths of a second, the first time
// after a boot, or with another CRIU, kernel or Still; then the answer is kept in `directory`,
// which exists.
MemoryCut find_memory_cut(const std::filesystem::path& directory);

}  // namespace still::memory
