#include "memory/page_run.h"

#include <algorithm>

namespace still::memory {

std::vector<PageRun> common_pages(const std::vector<PageRun>& some,
                                  const std::vector<PageRun>& others) {
  std::vector<PageRun> common;
  auto other = others.begin();
  for (const PageRun& run : some) {
    while (other != others.end() && other->end() <= run.address) ++other;
    for (auto next = other; next != others.end() && next->address < run.end(); ++next) {
      const uint64_t start = std::max(run.address, next->address);
      const uint64_t end = std::min(run.end(), next->end());
      append(common, {.address = start, .pages = (end - start) / criu::kPageSize});
    }
  }
  return common;
}

}  // namespace still::memory
