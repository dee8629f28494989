// Who has memory written to by a device.
#pragma once

#include <sys/types.h>

namespace still::memory {

// Whether the process has a file open for direct reading (O_DIRECT of open(2)). What is read from
// it is written past the page tables, into pages that the kernel holds from the beginning of the
// read: no write protection that begins in between notes that. false for one that has ended.
bool reads_directly(pid_t process);

}  // namespace still::memory
