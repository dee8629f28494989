// Mounts, made and removed by us in our own mount namespace.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "os/fd.h"

namespace still {

// One line of /proc/PID/mountinfo (proc_pid_mountinfo(5)), octal escapes decoded.
struct MountEntry {
  int id = 0;
  std::string device;  // "major:minor"
  std::string root;    // the directory of the file system that is mounted
  std::filesystem::path target;
  std::string type;  // "overlay", "cgroup2", ...
  std::string source;
  std::vector<std::string> super_options;  // per file system: "rw", "freezer", ...
};

// Throws Error(kCorrupt) with the line for text that is no mountinfo.
std::vector<MountEntry> parse_mountinfo(std::string_view text);
// Of this process.
std::vector<MountEntry> read_mounts();
// Of the mount through which the path leads, as in mountinfo and fdinfo; 0: there is none, or the
// kernel does not tell.
uint64_t mount_id_of(const std::filesystem::path& path);
bool is_mount_point(const std::filesystem::path& path);

// A directory to read from, with what is mounted below it: what is read through it has the times of
// its last access left alone, links and directories too. Where the kernel cannot (before Linux
// 5.12), or does not let us, it is the directory as it is. Throws Error(kSystem).
Fd open_without_access_times(const std::filesystem::path& directory);

// mount(2). Error(kSystem) names type, source and target.
void mount(const std::string& source, const std::filesystem::path& target, const std::string& type,
           unsigned long flags, const std::string& data);

// Mounts an overlay; lower directories from the top one down. Uses the new mount API, one call per
// layer, so that neither the number of layers nor colons and commas in paths are limited by an
// option string. redirect_dir, metacopy and index are off: the upper layer is then self-contained
// and can be compared and copied by itself.
void mount_overlay(const std::vector<std::filesystem::path>& lower,
                   const std::filesystem::path& upper, const std::filesystem::path& work,
                   const std::filesystem::path& target);

// Makes the root mount read-only in the mount namespace of another process.
void make_root_read_only(pid_t pid);

// Unmounts what is mounted at target, all mounts stacked there; not being mounted is no error.
// Busy mounts are detached lazily (MNT_DETACH): they vanish with their last user.
void unmount_all(const std::filesystem::path& target);
// The same for everything that is mounted at the path or below it.
void unmount_below(const std::filesystem::path& path);

}  // namespace still
