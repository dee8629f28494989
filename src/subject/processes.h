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

// What the process was called with, each argument with a zero at its end; empty if it has ended.
std::string arguments_of(pid_t process);

// Whether something that descends from the process was called with arguments like that.
bool has_descendant(pid_t process, const std::function<bool(const std::string&)>& wanted);

// Kills the process and everything that descends from it, as far as that has not lost its parents.
// Each is stopped before its children are looked for: what is being born while the others are
// killed would live on.
void kill_with_descendants(pid_t process);

// Processes that do not descend from init.
std::vector<pid_t> foreign_among(const std::vector<pid_t>& processes, pid_t init);

// The same as plain computation: parents holds the parent of every process there is.
std::vector<pid_t> foreign_among(const std::vector<pid_t>& processes, pid_t init,
                                 const std::map<pid_t, pid_t>& parents);

}  // namespace still::subject
