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

// Bytes that the kernel can give before it has to end programs: MemAvailable of proc_meminfo(5).
// Throws Error(kSystem).
uint64_t available_memory();

}  // namespace still
