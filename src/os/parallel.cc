#include "os/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace still {

void parallel_for(size_t count, size_t grain, unsigned threads,
                  const std::function<void(size_t begin, size_t end)>& work) {
  std::atomic<size_t> next = 0;
  std::exception_ptr first;
  std::mutex mutex;
  const auto run = [&] {
    try {
      for (size_t begin = 0; (begin = next.fetch_add(grain)) < count;) {
        work(begin, std::min(begin + grain, count));
      }
    } catch (...) {
      const std::scoped_lock lock(mutex);
      if (!first) first = std::current_exception();
      next = count;
    }
  };
  const size_t ranges = (count + grain - 1) / grain;
  {
    std::vector<std::jthread> helpers;
    for (size_t i = 1; i < std::min<size_t>(threads, ranges); ++i) helpers.emplace_back(run);
    run();
  }
  if (first) std::rethrow_exception(first);
}

unsigned processor_count() { return std::max(1U, std::thread::hardware_concurrency()); }

}  // namespace still
