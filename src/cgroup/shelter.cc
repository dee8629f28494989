#include "cgroup/shelter.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "cgroup/container_cgroup.h"
#include "cgroup/files.h"
#include "os/files.h"
#include "os/mount.h"

namespace still::cgroup {
namespace {

bool ends_or_freezes(const MountEntry& mount) {
  if (mount.type == "cgroup2") return true;
  return mount.type == "cgroup" && (std::ranges::contains(mount.super_options, "freezer") ||
                                    std::ranges::contains(mount.super_options, "name=systemd"));
}

std::vector<std::filesystem::path> places(const std::string& path) {
  std::vector<std::filesystem::path> directories;
  for (const MountEntry& mount : read_mounts()) {
    if (ends_or_freezes(mount)) directories.emplace_back(mount.target.native() + path);
  }
  return directories;
}

}  // namespace

Shelter::Shelter(std::string path) : path_(std::move(path)) {
  for (const auto& directory : places(path_)) {
    try {
      make_cgroup_directory(directory);
    } catch (const Error& error) {
      log(LogLevel::kInfo, "no cgroup for the guardian: " + error.message());
    }
  }
}

Shelter::~Shelter() {
  try {
    remove_cgroups(path_);
  } catch (const std::exception& error) {
    log(LogLevel::kInfo, error.what());
  }
}

void Shelter::take_in(pid_t process) const noexcept try {
  for (const auto& directory : places(path_)) {
    try {
      write_control_file(directory / "cgroup.procs", std::to_string(process));
    } catch (const Error& error) {
      log(LogLevel::kInfo, "the guardian shares our cgroup: " + error.message());
    }
  }
} catch (const std::exception& error) {
  log(LogLevel::kInfo, error.what());
}

}  // namespace still::cgroup
