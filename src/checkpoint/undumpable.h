// What CRIU cannot dump, found while the container still runs and nothing was touched.
#pragma once

#include <cstdint>

#include "engine/container.h"

namespace still::checkpoint {

// Looks at every process of the container. Throws Error(kUnsupported) naming process and resource:
// io_uring rings and userfaultfd descriptors (CRIU 4.1 has no support for either), and processes
// that exec brought in (not descendants of the container's init). Returns the resident memory of
// all processes in bytes, for estimates.
uint64_t check_processes(const engine::Container& container);

}  // namespace still::checkpoint
