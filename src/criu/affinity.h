// Which processors a container's threads may run on. CRIU 4.1.1 knows nothing of that: what it
// restores may run wherever CRIU itself may. So it is kept in a file of our own beside CRIU's
// images, where CRIU and other engines take no notice of it, and set by CRIU's action script, a
// program of ours (src/criu/set_affinity/), when all tasks are there and none has run.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "os/affinity.h"

namespace still::criu {

inline constexpr const char* kAffinityFile = "cpu-affinity.txt";

// By the number of the thread in the container's pid namespace.
using Affinities = std::map<pid_t, Processors>;

// Of those threads that may not run on every processor that is online. init: the container's first
// process, whose namespace it is. Those that end meanwhile are left out.
Affinities read_affinities(const std::vector<pid_t>& processes, pid_t init);

// A line for each thread, "7 0-3,8"; no file where there is none. Throws Error(kSystem).
void write_affinities(const std::filesystem::path& images, const Affinities& affinities);
// What is no such line is left out: the file may be of anybody's. Throws Error(kSystem).
Affinities stored_affinities(const std::filesystem::path& images);

// CRIU's options for a restore from these images.
std::map<std::string, std::string> affinity_options(const std::filesystem::path& images);

// Sets those of init, what descends from it, and their threads. Returns how many could not be set.
size_t set_affinities(const Affinities& affinities, pid_t init);
// After the restore: how many threads may run elsewhere than they were to.
size_t count_misplaced(const Affinities& affinities, pid_t init);

}  // namespace still::criu
