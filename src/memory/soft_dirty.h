// The kernel's own record of which pages have changed, where it has one (CONFIG_MEM_SOFT_DIRTY:
// admin-guide/mm/soft-dirty.rst). CRIU goes by it when it writes a difference to earlier images.
#pragma once

#include <sys/types.h>

namespace still::memory {

// Whether this kernel has it, found out with a page of ours. Throws Error(kSystem).
bool kernel_tracks_changes();

// Everything in the memory of the process counts as unchanged from now on. Takes some milliseconds
// for each gigabyte. One that has ended is no error. Throws Error(kSystem).
void forget_changes(pid_t pid);

}  // namespace still::memory
