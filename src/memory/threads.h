// All threads of a process, held.
#pragma once

#include <sys/types.h>

#include <vector>

#include "memory/tracee.h"
#include "os/clock.h"

namespace still::memory {

// Asks each to stop (Tracee::seize()). In the order of threads_of().
std::vector<Tracee> seize_threads(pid_t process);
// The same of a process that runs, and waits until all have stopped: those, too, that others have
// made meanwhile. The end of the OS thread lets go of what is not among those that are returned.
// Throws Error(kTimeout), and what seize() throws.
std::vector<Tracee> stop_threads(pid_t process, Deadline deadline);

}  // namespace still::memory
