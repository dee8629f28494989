// Work on many items by several threads.
#pragma once

#include <cstddef>
#include <functional>

namespace still {

// Calls work(begin, end) for consecutive ranges of at most `grain` items, which together are
// 0..count, from up to `threads` threads, the caller's own among them; in any order. Returns when
// all are done. The first exception ends the handing out of further ranges and is thrown when the
// threads have ended.
void parallel_for(size_t count, size_t grain, unsigned threads,
                  const std::function<void(size_t begin, size_t end)>& work);

// As many as there are processors, for work that needs nothing else.
unsigned processor_count();

}  // namespace still
