// Which processes belong to a container.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cgroup/freezer.h"

namespace still::subject {

// All that are in its cgroup (if freezer is not null) or pid namespace, or descend from its init;
// init first, the others by number.
std::vector<pid_t> processes_of(pid_t init, const cgroup::Freezer* freezer);

// The name of its program (proc_pid_comm(5)), printable; "?" if it has ended.
std::string command_of(pid_t process);
// "12 (sleep)".
std::vector<std::string> describe(const std::vector<pid_t>& processes);

// What the process was called with, each argument with a zero at its end; empty if it has ended.
std::string arguments_of(pid_t process);

// Whether something that descends from the process was called with arguments like that.
bool has_descendant(pid_t process, const std::function<bool(const std::string&)>& wanted);

// Kills the process and everything that descends from it, as far as that has not lost its parents.
// Each is stopped before its children are looked for: what is being born while the others are
// killed would live on.
void kill_with_descendants(pid_t process);

// The processes of a container, told apart. CRIU dumps the first alone.
struct Division {
  std::vector<pid_t> tree;      // init and what descends from it
  std::vector<pid_t> sessions;  // brought in from outside by exec, and their children
};
// Of those that live; each is in one of the two. Asks the kernel about these processes and those
// that they descend from, so it is quick however many others there are.
Division divide(const std::vector<pid_t>& processes, pid_t init);

// Those that do not descend from init, as plain computation: parents holds the parent of every
// process there is.
std::vector<pid_t> foreign_among(const std::vector<pid_t>& processes, pid_t init,
                                 const std::map<pid_t, pid_t>& parents);

}  // namespace still::subject
