// Where a process lives in the cgroup hierarchies, on v1, v2 and hybrid machines.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace still::cgroup {

enum class Version { kV1, kV2 };

// A cgroup that can be frozen: on v1 in the freezer hierarchy.
struct Location {
  Version version;
  std::string path;                 // within the hierarchy, "/still/ID"
  std::filesystem::path directory;  // where it is in our file system
};

// Texts stand for the machine, so that tests can pass look-alikes.
struct ProcessInfo {
  std::string cgroup_file;     // content of /proc/PID/cgroup
  std::string mountinfo_file;  // content of /proc/self/mountinfo
};

// The cgroup by which this process can be frozen: of the v1 freezer hierarchy if that is mounted
// and the process is below its root, else of the mounted v2 hierarchy. nullopt when it is in the
// root of both (root cgroups cannot be frozen) or neither is mounted. Throws Error(kCorrupt) for
// text that is none of the kernel's.
std::optional<Location> find_freezer_cgroup(const ProcessInfo& process);
// The same for a live process. Throws Error(kNotFound) if it has ended.
std::optional<Location> find_freezer_cgroup(pid_t pid);

// Whether what is in the cgroup stands still, because of it or of one above it. False if it is
// gone.
bool is_frozen(const Location& location);

// Where the v2 hierarchy is mounted, and the directory there of the cgroup that a live process is
// in, the root included. nullopt if it is not mounted. Throws Error(kNotFound) if the process has
// ended.
std::optional<std::filesystem::path> unified_mount();
std::optional<std::filesystem::path> find_unified_cgroup(pid_t pid);

// The cgroup hierarchies that are mounted where we are, as /proc/PID/cgroup names them: "" for v2,
// "freezer", "cpu,cpuacct", "name=systemd".
std::vector<std::string> mounted_hierarchies(const ProcessInfo& process);
std::vector<std::string> mounted_hierarchies();

// "v1", "v2".
std::string to_string(Version version);

}  // namespace still::cgroup
