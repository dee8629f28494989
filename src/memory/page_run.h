// Pages of a process, one after the other.
#pragma once

#include <cstdint>
#include <vector>

#include "criu/memory_images.h"

namespace still::memory {

struct PageRun {
  uint64_t address = 0;
  uint64_t pages = 0;

  uint64_t bytes() const { return pages * criu::kPageSize; }
  uint64_t end() const { return address + bytes(); }
};

// Addresses of pages, the end outside.
inline PageRun run_between(uint64_t start, uint64_t end) {
  return {.address = start, .pages = (end - start) / criu::kPageSize};
}

// In the order of addresses: one that continues the last one makes that longer.
inline void append(std::vector<PageRun>& runs, const PageRun& run) {
  if (!runs.empty() && runs.back().end() == run.address) {
    runs.back().pages += run.pages;
  } else {
    runs.push_back(run);
  }
}

// In the order of addresses.
std::vector<PageRun> common_pages(const std::vector<PageRun>& some,
                                  const std::vector<PageRun>& others);

// Those of some that are not among the others. In the order of addresses.
std::vector<PageRun> pages_without(const std::vector<PageRun>& some,
                                   const std::vector<PageRun>& others);
// Those that are in any of the runs, which need not be in order.
std::vector<PageRun> united(std::vector<PageRun> runs);

template <typename Runs>
uint64_t total_bytes(const Runs& runs) {
  uint64_t bytes = 0;
  for (const PageRun& run : runs) bytes += run.bytes();
  return bytes;
}

}  // namespace still::memory
