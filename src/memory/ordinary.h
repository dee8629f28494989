// Whether processes are of the kind whose memory is copied by forks: others are left to CRIU by
// itself, which knows more of them than we do.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace still::memory {

// Why one of them is not, in words for people; empty if all are. Looks at the processes while they
// run, at what the kernel answers at once: huge pages of hugetlbfs, asynchronous I/O (io_setup(2)),
// 32 bits, a tracer, pid namespaces within that of the first process. Those that end meanwhile are
// left out. Throws Error(kSystem).
std::string why_not_ordinary(const std::vector<pid_t>& processes);

// The same as a plain computation, of /proc/PID/status and /proc/PID/maps. pid_namespaces: how many
// the first process is in.
std::string why_not_ordinary(const std::string& status, const std::string& maps,
                             size_t pid_namespaces);

}  // namespace still::memory
