// The cgroups in a CRIU image: where the restored tasks will be put.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace still::criu {

struct CgroupMove {
  std::string from;  // the container's cgroup when it was dumped, "/still/ID"; empty: it had none
  std::string to;    // its cgroup from now on; empty: none
  std::vector<std::string> hierarchies;  // mounted here: cgroup::mounted_hierarchies()
};

// Rewrites cgroup.img so that the container is restored into another cgroup and on other machines.
// The image names the cgroups of the dump, in all hierarchies of that machine; crun 1.21 always,
// and runc unless told, let CRIU put the tasks there: into the cgroup of the original container, or
// nowhere. Afterwards it puts every task into `to`, or below it where the task was below `from` on
// v2 (the container's cgroup namespace begins there), whatever else the image says, in every
// hierarchy that has the container's limits here. No cgroups are to be made by CRIU: that is done
// by the runtime for `to`, with the limits of the new spec. Returns the v2 cgroups below `to` that
// tasks are put into, as paths relative to it, parents first: they must exist before the restore.
// Without cgroup.img: nothing to do. Throws Error(kCorrupt).
std::vector<std::string> move_cgroups(const std::filesystem::path& image_directory,
                                      const CgroupMove& move);

// The file cgroup.img, by its name, for images that any runtime can restore: every task is in `to`
// where it was in `from`, or below it as it was there, and CRIU makes these cgroups, without
// limits, if they are missing. Hierarchies in which the container had no cgroup of its own are not
// named. Nothing without cgroup.img. Throws Error(kCorrupt).
std::map<std::string, std::string> own_cgroups(const std::filesystem::path& image_directory,
                                               const std::string& from, const std::string& to);

}  // namespace still::criu
