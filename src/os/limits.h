// Limits that would end a process in the middle of its work.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace still {

// Lifts the limits of a process of ours on its processor time and on the size of files, as far as
// we may. Returns the name of one that is left, with the command that shows it: "processor time
// (ulimit -t)"; empty: none.
std::string lift_deadly_limits(pid_t process) noexcept;

// How many descriptors CRIU may have that we start: with CAP_SYS_RESOURCE it raises its limit to
// fs.nr_open, else it has ours (RLIMIT_NOFILE). Throws Error(kSystem).
uint64_t most_descriptors();

// Bytes that the kernel can give before it has to end programs: MemAvailable of proc_meminfo(5).
// Throws Error(kSystem).
uint64_t available_memory();

}  // namespace still
