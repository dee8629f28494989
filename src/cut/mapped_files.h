// Files that frozen processes can write to without a system call.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <set>
#include <string_view>
#include <vector>

namespace still::cut {

// The inode numbers of all files that any of the processes maps shared and writable. An inode's
// number alone, because the device that /proc/PID/maps shows is not the one that stat(2) tells on
// btrfs and overlayfs: an unconcerned file of the same number is copied once more, which harms
// nobody. Files on the overlay are looked up in upper, its writable layer, by their path (empty:
// they are left out). A process that has ended is left out.
std::set<ino_t> mapped_inodes(const std::vector<pid_t>& processes,
                              const std::filesystem::path& upper);

// One line of /proc/PID/maps (proc_pid_maps(5)) that counts.
struct SharedMapping {
  ino_t inode = 0;
  std::string path;  // in the process's mount namespace, escapes decoded
};
std::vector<SharedMapping> parse_shared_mappings(std::string_view maps);

}  // namespace still::cut
