// Limits that would end a process in the middle of its work.
#pragma once

#include <sys/types.h>

#include <string>

namespace still {

// Lifts the limits of a process of ours on its processor time and on the size of files, as far as
// we may. Returns the name of one that is left, with the command that shows it: "processor time
// (ulimit -t)"; empty: none.
std::string lift_deadly_limits(pid_t process) noexcept;

}  // namespace still
