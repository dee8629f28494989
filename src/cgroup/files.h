// Files of a cgroup, by its open directory. Internal to cgroup/.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "os/fd.h"

namespace still::cgroup {

// Makes the directory of a cgroup and those above it (mode 0755), which remove_cgroups() of the
// last container may take away meanwhile. One that is there already is no error. Throws
// Error(kSystem).
void make_cgroup_directory(const std::filesystem::path& directory);

Error cgroup_is_gone(std::string_view cgroup);

// Both throw Error(kNotFound) if the cgroup has been removed: its directory is then empty (ENOENT)
// and files opened before say ENODEV. cgroup is its name in messages.
std::string read_cgroup_file(const Fd& directory, const std::string& file, std::string_view cgroup);
void write_cgroup_file(const Fd& directory, const std::string& file, std::string_view value,
                       std::string_view cgroup);

// Content of a file of a cgroup or of a process in procfs; nullopt if either has gone: the file is
// absent or says ENODEV or ESRCH. Also nullopt for a cgroup in threaded mode, whose processes count
// in another one (EOPNOTSUPP).
std::optional<std::string> read_if_alive(const Fd& directory, const std::string& file);

}  // namespace still::cgroup
