// All entries of a tree with their status, as fast as several threads can ask for it.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "os/fd.h"

namespace still::tree {

struct ScannedEntry {
  std::string name;
  struct stat status;  // as lstat sees it
};

struct ScannedDirectory {
  std::string path;  // relative to the root of the scan; "" is the root itself
  // Of the directory, taken before its entries were listed.
  struct stat status;
  // In the order of the file system; subdirectories are among them.
  std::vector<ScannedEntry> entries;
};

// The path of an entry of a directory, itself a path in the scan.
std::string path_in(std::string_view directory, std::string_view name);
// The same path for people, who see "." for the root.
std::string shown_path(const std::string& path);

// Parents come before the directories in them, the root first. File systems mounted below root are
// not entered: such a directory has no entries. What vanishes meanwhile is left out. Links are not
// followed. Holds at most a few hundred descriptors. Throws Error(kSystem) with the path.
// stop: returns soon once that is requested; the result is then of no use. Throws Error(kSystem)
// for a tree with so many entries or more.
std::vector<ScannedDirectory> scan_tree(const Fd& root, unsigned threads,
                                        const std::stop_token& stop = {},
                                        size_t too_many = SIZE_MAX);

// As many entries as there is memory for now. A checkpoint keeps all entries of a tree in memory,
// each several times: 1.5 KB were measured with names of 21 bytes.
size_t entries_that_fit();

// The first directory that lies on another file system than the root: one that is mounted there, or
// a subvolume of btrfs. nullopt: there is none.
std::optional<std::string> find_other_file_system(const std::vector<ScannedDirectory>& scan);

// Paths of the entries ("." is the root) whose ctime lies between two moments of the wall clock,
// both excluded.
std::set<std::string> changed_between(const Fd& root, std::chrono::nanoseconds from,
                                      std::chrono::nanoseconds until);

}  // namespace still::tree
