#include "cgroup/location.h"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "os/files.h"
#include "os/mount.h"

namespace still::cgroup {
namespace {

// One line of /proc/PID/cgroup: "ID:CONTROLLERS:PATH" (cgroups(7)).
struct Membership {
  std::string controllers;  // "freezer", "cpu,cpuacct", "name=systemd"; empty: the v2 hierarchy
  std::string path;
};

Membership parse_membership(const std::string& line) {
  const size_t first = line.find(':');
  const size_t second = line.find(':', first == std::string::npos ? first : first + 1);
  if (second == std::string::npos || line.size() == second + 1 || line[second + 1] != '/') {
    throw Error(ErrorKind::kCorrupt, "cannot parse the cgroup line \"" + printable(line) + "\"");
  }
  return {.controllers = line.substr(first + 1, second - first - 1),
          .path = line.substr(second + 1)};
}

std::vector<Membership> parse_memberships(std::string_view cgroup_file) {
  std::vector<Membership> memberships;
  for (const std::string& line : split(cgroup_file, '\n')) {
    if (!line.empty()) memberships.push_back(parse_membership(line));
  }
  return memberships;
}

bool is_mount_of(const MountEntry& mount, const Membership& membership) {
  if (membership.controllers.empty()) return mount.type == "cgroup2";
  const std::string controller = split(membership.controllers, ',').front();
  return mount.type == "cgroup" && std::ranges::contains(mount.super_options, controller);
}

// Where a path of the hierarchy is in our file system; a mount can show only a part of it.
std::optional<std::filesystem::path> seen_through(const MountEntry& mount,
                                                  const std::string& path) {
  const std::string root = mount.root == "/" ? "" : mount.root;
  if (path != mount.root && !path.starts_with(root + "/")) return std::nullopt;
  const std::string below = path.substr(std::min(path.size(), root.size() + 1));
  // A process outside the root of our cgroup namespace ("/../other") is not below this mount.
  if (below == ".." || below.starts_with("../")) return std::nullopt;
  return below.empty() ? mount.target : mount.target / below;
}

bool is_hidden(const MountEntry& mount, const std::vector<MountEntry>& mounts) {
  const auto last = std::ranges::find_last(mounts, mount.target, &MountEntry::target);
  return last.begin()->id != mount.id;
}

// Through the oldest mount: CRIU has mounts of its own while it restores another container.
std::optional<std::filesystem::path> directory_of(const Membership& membership,
                                                  const std::vector<MountEntry>& mounts) {
  for (const MountEntry& mount : mounts) {
    if (!is_mount_of(mount, membership) || is_hidden(mount, mounts)) continue;
    if (auto directory = seen_through(mount, membership.path)) return directory;
  }
  return std::nullopt;
}

std::optional<Location> locate(const Membership& membership,
                               const std::vector<MountEntry>& mounts) {
  if (membership.path == "/") return std::nullopt;
  auto directory = directory_of(membership, mounts);
  if (!directory) return std::nullopt;
  const auto version = membership.controllers.empty() ? Version::kV2 : Version::kV1;
  return Location{version, membership.path, std::move(*directory)};
}

bool is_freezer(const Membership& membership) {
  return std::ranges::contains(split(membership.controllers, ','), "freezer");
}

// procfs says ESRCH when the process ends between open and read.
std::string read_cgroup_file(pid_t pid) {
  std::optional<std::string> content;
  try {
    content = read_file_if_exists(formatted("/proc/{}/cgroup", pid));
  } catch (const Error& error) {
    if (error.error_number() != ESRCH) throw;
  }
  if (!content) throw Error(ErrorKind::kNotFound, formatted("process {} has ended", pid));
  return std::move(*content);
}

}  // namespace

std::optional<Location> find_freezer_cgroup(const ProcessInfo& process) {
  const auto memberships = parse_memberships(process.cgroup_file);
  const auto mounts = parse_mountinfo(process.mountinfo_file);
  for (const Membership& membership : memberships) {
    if (!is_freezer(membership)) continue;
    if (auto location = locate(membership, mounts)) return location;
  }
  for (const Membership& membership : memberships) {
    if (!membership.controllers.empty()) continue;
    if (auto location = locate(membership, mounts)) return location;
  }
  return std::nullopt;
}

std::optional<Location> find_freezer_cgroup(pid_t pid) {
  return find_freezer_cgroup({read_cgroup_file(pid), read_file("/proc/self/mountinfo")});
}

bool is_frozen(const Location& location) {
  const bool is_v1 = location.version == Version::kV1;
  const auto file = location.directory / (is_v1 ? "freezer.state" : "cgroup.events");
  const auto state = split(read_file_if_exists(file).value_or(""), '\n');
  return std::ranges::contains(state, is_v1 ? "FROZEN" : "frozen 1");
}

std::optional<std::filesystem::path> unified_mount() {
  return directory_of({.controllers = "", .path = "/"}, read_mounts());
}

std::optional<std::filesystem::path> find_unified_cgroup(pid_t pid) {
  const auto mounts = read_mounts();
  for (const Membership& membership : parse_memberships(read_cgroup_file(pid))) {
    if (membership.controllers.empty()) return directory_of(membership, mounts);
  }
  return std::nullopt;
}

std::vector<std::string> mounted_hierarchies(const ProcessInfo& process) {
  const auto mounts = parse_mountinfo(process.mountinfo_file);
  std::vector<std::string> names;
  for (const Membership& membership : parse_memberships(process.cgroup_file)) {
    const auto shows = [&](const MountEntry& mount) { return is_mount_of(mount, membership); };
    if (std::ranges::any_of(mounts, shows)) names.push_back(membership.controllers);
  }
  return names;
}

std::vector<std::string> mounted_hierarchies() {
  return mounted_hierarchies({read_file("/proc/self/cgroup"), read_file("/proc/self/mountinfo")});
}

std::string to_string(Version version) { return version == Version::kV1 ? "v1" : "v2"; }

}  // namespace still::cgroup
