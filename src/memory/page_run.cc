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

std::vector<PageRun> pages_without(const std::vector<PageRun>& some,
                                   const std::vector<PageRun>& others) {
  std::vector<PageRun> left;
  auto other = others.begin();
  for (const PageRun& run : some) {
    uint64_t at = run.address;
    while (other != others.end() && other->end() <= at) ++other;
    for (auto next = other; next != others.end() && next->address < run.end(); ++next) {
      if (next->address > at) append(left, run_between(at, next->address));
      at = std::max(at, next->end());
    }
    if (at < run.end()) append(left, run_between(at, run.end()));
  }
  return left;
}

std::vector<PageRun> united(std::vector<PageRun> runs) {
  std::ranges::sort(runs, {}, &PageRun::address);
  std::vector<PageRun> result;
  for (const PageRun& run : runs) {
    if (result.empty() || run.address > result.back().end()) {
      result.push_back(run);
    } else if (run.end() > result.back().end()) {
      result.back() = run_between(result.back().address, run.end());
    }
  }
  return result;
}

}  // namespace still::memory
