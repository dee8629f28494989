// The cgroup that the runtime made for a container, in whatever hierarchies are mounted.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "cgroup/location.h"
#include "cgroup/room.h"

namespace still::cgroup {

// The cgroup at `path` ("/still/ID") by which the container can be frozen: init lives in it or
// below it, and we do not. nullopt otherwise.
std::optional<Location> find_own_cgroup(const std::string& path, pid_t init);

// The same, as plain computation. init, self: the freezer cgroups of both processes.
std::optional<Location> own_cgroup(const std::string& path, const Location& init,
                                   const std::optional<Location>& self);

// Throws Error(kConflict) if processes live in the cgroup or below it, in any hierarchy: it is
// somebody else's.
void require_unused(const std::string& path);

// Makes the cgroup in every hierarchy, with what is missing above it.
void make_cgroup(const std::string& path);

// What the limits of the cgroup leave.
Room room_in_cgroup(const std::string& path);

// Kills everything in the cgroup and below it, in every hierarchy, thawing what is frozen, and
// waits until nothing is left. Throws Error(kTimeout).
void kill_cgroups(const std::string& path);

// Removes the cgroups at and below `path` in every hierarchy, and their parent if that is empty
// then. The processes in them have ended; the kernel is given a moment to notice. What cannot be
// removed is logged as a warning: the container's end must not fail for it.
void remove_cgroups(const std::string& path);

}  // namespace still::cgroup
