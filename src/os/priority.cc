#include "os/priority.h"

#include <sys/resource.h>
#include <unistd.h>

namespace still {
namespace {

constexpr int kPatient = 10;
constexpr int kUrgent = -10;

}  // namespace

// On Linux the niceness is a thread's own, and 0 means the calling one.
void lower_thread_priority() noexcept { ::setpriority(PRIO_PROCESS, 0, kPatient); }

void raise_priority(pid_t process) noexcept {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(process), kUrgent);
}

}  // namespace still
