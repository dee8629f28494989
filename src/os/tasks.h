// Processes and their threads, as /proc lists them.
#pragma once

#include <sys/types.h>

#include <vector>

namespace still {

// The threads of a process, the first one of the process at the head, if it has not ended. Empty if
// the process has ended.
std::vector<pid_t> threads_of(pid_t process);

// The children of a process, whichever of its threads has made them.
std::vector<pid_t> children_of(pid_t process);

// The numbers of a process or a thread, from the outermost pid namespace that sees it to its own.
// Empty if it has ended. Throws Error(kSystem).
std::vector<pid_t> numbers_of(pid_t task);

// The last one: what it is called in its own pid namespace. 0 if it has ended.
pid_t inner_pid(pid_t task);

}  // namespace still
