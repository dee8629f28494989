// Visiting nested cgroups. Internal to cgroup/.
#pragma once

#include <functional>

#include "os/fd.h"

namespace still::cgroup {

// Calls visit with the open directory of the cgroup and of every one below it, parents first.
// Cgroups that vanish meanwhile are left out. Looks at directory entries only: a cgroup has dozens
// of files, and the freezer asks while a container stands still.
void for_each_cgroup(const Fd& top, const std::function<void(const Fd& directory)>& visit);

}  // namespace still::cgroup
