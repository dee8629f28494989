// Work that can wait, and work that cannot.
#pragma once

#include <sys/types.h>

namespace still {

// From now on this thread, and every thread that it starts, leaves the processors to others that
// want them (nice 10): for long work beside a container that runs. Without the right to do so the
// thread goes on as it was.
void lower_thread_priority() noexcept;

// The opposite (nice -10), for a process that somebody waits for standing still, and for those that
// it will start. Without the right to do so nothing happens.
void raise_priority(pid_t process) noexcept;

}  // namespace still
