#include "cgroup/container_cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "base/text.h"
#include "cgroup/files.h"
#include "cgroup/tasks.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/mount.h"

namespace still::cgroup {
namespace {

constexpr auto kRemovalTimeout = std::chrono::seconds(2);
constexpr auto kKillTimeout = std::chrono::seconds(30);
constexpr auto kPollInterval = std::chrono::milliseconds(2);

bool lies_in_cgroup(const std::string& path, const std::string& ancestor) {
  return path == ancestor || path.starts_with(ancestor + "/");
}

// A cgroup is busy until the last of its processes has been reaped.
void remove_when_empty(const std::filesystem::path& directory, Deadline deadline) {
  while (::rmdir(directory.c_str()) != 0 && errno != ENOENT) {
    if (errno != EBUSY || std::chrono::steady_clock::now() >= deadline) {
      throw Error::system(errno, "cannot remove the cgroup " + directory.native());
    }
    std::this_thread::sleep_for(kPollInterval);
  }
}

// The children first. Only directories count: the files of a cgroup go with it.
void remove_cgroup(const std::filesystem::path& directory, Deadline deadline) {
  std::error_code ignored;  // one that vanishes meanwhile has no children
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    if (entry.is_directory(ignored) && !entry.is_symlink(ignored)) {
      remove_cgroup(entry.path(), deadline);
    }
  }
  remove_when_empty(directory, deadline);
}

// Where the hierarchies are mounted.
std::vector<std::filesystem::path> hierarchies() {
  std::vector<std::filesystem::path> roots;
  for (const MountEntry& mount : read_mounts()) {
    if (mount.type == "cgroup" || mount.type == "cgroup2") roots.push_back(mount.target);
  }
  return roots;
}

// A process that is frozen on v1 dies only once it is thawed.
void thaw_if_frozen(const std::filesystem::path& directory) {
  for (const auto& [file, value] : {std::pair("freezer.state", "THAWED"), {"cgroup.freeze", "0"}}) {
    if (path_exists(directory / file)) write_control_file(directory / file, value);
  }
}

// Returns how many processes there were.
size_t kill_all_in(const std::filesystem::path& directory) try {
  size_t count = 0;
  std::error_code ignored;  // one that vanishes meanwhile has no children
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    if (entry.is_directory(ignored) && !entry.is_symlink(ignored)) {
      count += kill_all_in(entry.path());
    }
  }
  const auto processes = read_file_if_exists(directory / "cgroup.procs");
  for (const std::string& line : split(processes.value_or(""), '\n')) {
    const auto pid = parse_integer(line);
    if (!pid || *pid <= 0) continue;
    ::kill(static_cast<pid_t>(*pid), SIGKILL);
    ++count;
  }
  if (count > 0) thaw_if_frozen(directory);
  return count;
} catch (const Error& error) {
  if (error.error_number() == ENODEV || error.error_number() == ENOENT) return 0;  // gone
  throw;
}

}  // namespace

std::optional<Location> own_cgroup(const std::string& path, const Location& init,
                                   const std::optional<Location>& self) {
  if (!lies_in_cgroup(init.path, path)) return std::nullopt;
  // Freezing ourselves would be for ever.
  if (self && self->version == init.version && lies_in_cgroup(self->path, path)) {
    return std::nullopt;
  }
  Location own = init;
  for (; own.path != path; own.path.resize(own.path.rfind('/'))) {
    own.directory = own.directory.parent_path();
  }
  return own;
}

std::optional<Location> find_own_cgroup(const std::string& path, pid_t init) try {
  const auto location = find_freezer_cgroup(init);
  if (!location) return std::nullopt;
  return own_cgroup(path, *location, find_freezer_cgroup(::getpid()));
} catch (const Error& error) {
  if (error.kind() != ErrorKind::kNotFound) throw;
  return std::nullopt;  // init has ended meanwhile
}

Room room_in_cgroup(const std::string& path) { return room_in(hierarchies(), path); }

void require_unused(const std::string& path) {
  for (const auto& root : hierarchies()) {
    const auto directory = open_if_exists(root.native() + path, O_RDONLY | O_DIRECTORY);
    if (!directory) continue;
    const auto processes = list_ids(*directory, "cgroup.procs");
    if (processes.empty()) continue;
    throw Error(
        ErrorKind::kConflict,
        formatted("the cgroup {} is in use: process {} lives in it", printable(path), processes[0]),
        "it belongs to a container of another store, or what is left of one: end that first");
  }
}

void kill_cgroups(const std::string& path) {
  const Deadline deadline = deadline_in(kKillTimeout);
  for (const auto& root : hierarchies()) {
    const std::filesystem::path directory = root.native() + path;
    while (kill_all_in(directory) > 0) {
      if (std::chrono::steady_clock::now() >= deadline) {
        throw Error(ErrorKind::kTimeout, "processes in the cgroup " + path + " do not end");
      }
      std::this_thread::sleep_for(kPollInterval);
    }
  }
}

void make_cgroup(const std::string& path) {
  for (const auto& root : hierarchies()) make_cgroup_directory(root.native() + path);
}

void remove_cgroups(const std::string& path) {
  const Deadline deadline = deadline_in(kRemovalTimeout);
  for (const auto& root : hierarchies()) {
    const std::filesystem::path directory = root.native() + path;
    try {
      if (path_exists(directory)) remove_cgroup(directory, deadline);
    } catch (const Error& error) {
      warn(error.message());
    }
    // Shared by all containers: it goes with the last one.
    if (directory.parent_path() != root) ::rmdir(directory.parent_path().c_str());
  }
}

}  // namespace still::cgroup
