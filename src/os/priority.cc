#include "os/priority.h"

#include <sys/resource.h>
#include <unistd.h>

namespace still {
namespace {

constexpr int kNice = 10;

}  // namespace

// On Linux the niceness is a thread's own, and 0 means the calling one.
void lower_thread_priority() noexcept { ::setpriority(PRIO_PROCESS, 0, kNice); }

}  // namespace still
