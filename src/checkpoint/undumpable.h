// What CRIU cannot dump, found while the container still runs and nothing was touched.
#pragma once

#include <cstdint>

#include "engine/container/container.h"

namespace still::checkpoint {

// Looks at every process of the container. Throws Error(kUnsupported) naming process and resource:
// io_uring rings and userfaultfd descriptors (CRIU 4.1 has no support for either), and processes
// that exec brought in (not descendants of the container's init). Returns the resident memory of
// all processes in bytes, for estimates.
uint64_t check_processes(const engine::Container& container);

// For containers that are dumped while a freezer of cgroup v1 holds them. Throws
// Error(kUnsupported) naming a process that a signal has stopped: ptrace(2) waits for ever for such
// a one when it is frozen (ptrace_attach() in the kernel waits for a stop of another kind), and
// CRIU with it.
void refuse_stopped(const engine::Container& container);

}  // namespace still::checkpoint
