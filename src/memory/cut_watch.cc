#include "memory/cut_watch.h"

#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cerrno>

#include "base/error.h"
#include "memory/protection.h"

namespace still::memory {

CutWatch::CutWatch(const Fd& file, uint64_t size) : size_(size) {
  void* const memory = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file.get(), 0);
  if (memory == MAP_FAILED) throw Error::system(errno, "cannot map shared memory");
  memory_ = static_cast<std::byte*>(memory);
}

CutWatch::~CutWatch() { ::munmap(memory_, size_); }

void CutWatch::watch(const std::vector<PageRun>& pages) const {
  for (const PageRun& run : unwatched(pages)) {
    ::madvise(memory_ + run.address, run.bytes(), MADV_POPULATE_READ);  // else it stays unwatched
  }
}

std::vector<PageRun> CutWatch::unwatched(const std::vector<PageRun>& pages) const {
  const auto start = std::bit_cast<uint64_t>(memory_);
  auto watched = present_pages(::getpid(), run_between(start, start + size_));
  for (PageRun& run : watched) run.address -= start;
  return pages_without(pages, watched);
}

}  // namespace still::memory
