// Whether pages are cut out of memory that processes share (MADV_REMOVE, fallocate(2)): the
// processes' own page tables say no more of it once somebody has looked at what is there now. The
// kernel takes such a page from everybody, from us as well, and we do not look again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "memory/page_run.h"
#include "os/fd.h"

namespace still::memory {

class CutWatch {
 public:
  // Of that many bytes. Throws Error(kSystem).
  CutWatch(const Fd& file, uint64_t size);
  CutWatch(const CutWatch&) = delete;
  CutWatch& operator=(const CutWatch&) = delete;
  ~CutWatch();

  // Addresses are offsets. They are there; from now on it is noticed when one is cut.
  void watch(const std::vector<PageRun>& pages) const;
  // Those that are not watched, or were cut since; or were swapped out.
  std::vector<PageRun> unwatched(const std::vector<PageRun>& pages) const;

 private:
  const uint64_t size_;
  std::byte* memory_ = nullptr;
};

}  // namespace still::memory
