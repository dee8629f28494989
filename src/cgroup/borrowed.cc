#include "cgroup/borrowed.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "cgroup/container_cgroup.h"
#include "cgroup/files.h"
#include "cgroup/location.h"
#include "cgroup/tasks.h"
#include "os/files.h"

namespace still::cgroup {
namespace {

// More are only needed when something forks faster than we can look.
constexpr int kPasses = 100;

void move_process(pid_t pid, const std::filesystem::path& directory) try {
  write_control_file(directory / "cgroup.procs", std::to_string(pid));
} catch (const Error& error) {
  if (error.error_number() != ESRCH) throw;  // it has ended
}

std::vector<pid_t> processes_in(const std::filesystem::path& directory) {
  return list_ids(open_file(directory, O_RDONLY | O_DIRECTORY), "cgroup.procs");
}

}  // namespace

BorrowedCgroup::BorrowedCgroup(const std::string& path, pid_t init, const Lister& list_processes) {
  const auto root = unified_mount();
  const auto home = find_unified_cgroup(init);
  if (!root || !home) {
    throw Error(ErrorKind::kUnsupported,
                "a container without a cgroup can be checkpointed only where cgroup v2 is mounted");
  }
  home_ = *home;
  require_unused(path);
  directory_ = root->native() + path;
  make_cgroup_directory(directory_);
  try {
    move_in(list_processes);
  } catch (...) {
    give_back();
    throw;
  }
}

BorrowedCgroup::~BorrowedCgroup() {
  try {
    give_back();
  } catch (const Error& error) {
    warn(error.message());
  }
}

void BorrowedCgroup::move_in(const Lister& list_processes) {
  std::set<pid_t> moved;  // or tried: a zombie cannot be moved and need not be
  for (int pass = 0; pass < kPasses; ++pass) {
    auto outside = list_processes();
    std::erase_if(outside, [&](pid_t pid) { return moved.contains(pid); });
    if (outside.empty()) return;
    for (const pid_t pid : outside) move_process(pid, directory_);
    moved.insert(outside.begin(), outside.end());
    // What they have made since then is in there already, if it was made after the move.
    for (const pid_t pid : processes_in(directory_)) moved.insert(pid);
  }
  throw Error(ErrorKind::kConflict,
              "the container makes new processes faster than they can be moved into a cgroup");
}

void BorrowedCgroup::give_back() {
  const auto directory = std::exchange(directory_, {});
  if (!directory.empty()) dissolve_cgroup(directory, home_);
}

void dissolve_cgroup(const std::filesystem::path& directory, const std::filesystem::path& home) {
  if (!path_exists(directory)) return;
  // What it makes meanwhile is in there too, hence more than one pass.
  for (int pass = 0; pass < kPasses; ++pass) {
    const auto inside = processes_in(directory);
    if (inside.empty()) break;
    for (const pid_t pid : inside) move_process(pid, home);
  }
  if (::rmdir(directory.c_str()) != 0) {
    throw Error::system(errno, "cannot remove the cgroup " + printable(directory.native()));
  }
}

}  // namespace still::cgroup
