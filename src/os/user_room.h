// What RLIMIT_NPROC leaves to processes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace still {

// How many tasks more the users of these processes may have: the least of it, as the kernel counts
// (setrlimit(2)), which is all tasks of the user on this machine against the limit of the one that
// makes another. UINT64_MAX for none, and for root, who is not limited. Processes that have ended
// count for nothing.
uint64_t user_room(const std::vector<pid_t>& processes);

}  // namespace still
