// Which processors a thread may run on (sched_setaffinity(2)).
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace still {

// Numbers of processors, ascending.
using Processors = std::vector<unsigned>;

// How many are online. A thread that may run on so many may run everywhere.
size_t online_processors();
// nullopt if there is no such thread.
std::optional<Processors> affinity_of(pid_t thread);
// Of those that this machine does not have, or that the thread's cgroup does not let it have, the
// kernel takes no notice. false if none is left, or there is no such thread.
bool set_affinity(pid_t thread, const Processors& processors);

// "0-3,8", the form of the kernel. nullopt for what is no such list, or has a number of 8192 or
// more.
std::string format_processors(const Processors& processors);
std::optional<Processors> parse_processors(std::string_view list);

}  // namespace still
