// Opening, reading and writing files. Every function throws Error(kSystem) with the call and the
// path as context; nothing above this layer looks at errno.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "os/fd.h"

namespace still {

// open(2) with O_CLOEXEC added.
Fd open_file(const std::filesystem::path& path, int flags, mode_t mode = 0);
// The same; nullopt if there is no such file (ENOENT, ENOTDIR).
std::optional<Fd> open_if_exists(const std::filesystem::path& path, int flags);
// openat(2) with O_CLOEXEC added. name is used for the call and for the error.
Fd open_at(const Fd& directory, const std::string& name, int flags, mode_t mode = 0);
std::optional<Fd> open_at_if_exists(const Fd& directory, const std::string& name, int flags);
// openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS: path cannot leave the directory, not by
// "..", absolute names or links. Final symlinks are not followed with O_NOFOLLOW.
Fd open_beneath(const Fd& directory, const std::string& path, int flags, mode_t mode = 0);

struct stat stat_fd(const Fd& fd);
// fstatat(2) with AT_SYMLINK_NOFOLLOW; nullopt if there is no such entry.
std::optional<struct stat> stat_at(const Fd& directory, const std::string& name);
// The same into a place of the caller's; false if there is no such entry.
bool stat_into(const Fd& directory, const std::string& name, struct stat& status);
bool path_exists(const std::filesystem::path& path);

// The whole content. The second form reads on from the descriptor's position.
std::string read_file(const std::filesystem::path& path);
std::string read_all(const Fd& fd);
// nullopt also for a file of a process that has ended, or of a descriptor that has been closed
// (/proc).
std::optional<std::string> read_file_if_exists(const std::filesystem::path& path);
// The target of a symbolic link, of any length.
std::string read_link_at(const Fd& directory, const std::string& name);

// Writes all of it, however many calls that takes.
void write_all(const Fd& fd, std::string_view data);
// One write(2) call to an existing file, as cgroupfs and procfs want it.
void write_control_file(const std::filesystem::path& path, std::string_view value);

// Creates or replaces path so that at every moment, a power failure included, it holds either the
// old content or all of the new: temporary name beside it, fsync, rename, fsync of the directory.
void write_file_atomically(const std::filesystem::path& path, std::string_view data, mode_t mode);

// Makes a directory with exactly this mode (umask aside); an existing directory is left as it is.
void make_directory(const std::filesystem::path& path, mode_t mode = 0755);
// The same with all missing parents.
void make_directories(const std::filesystem::path& path, mode_t mode = 0755);

// Removes a tree, never crossing into another file system and never following links; paths of any
// depth and length. btrfs subvolumes in it go too, and so do immutable and append-only entries. An
// absent path is no error.
void remove_tree(const std::filesystem::path& path);
// The same for an entry of an open directory.
void remove_tree_at(const Fd& directory, const std::string& name);

// fsync(2) of a directory: makes renames and new names in it durable.
void sync_directory(const std::filesystem::path& path);
// syncfs(2): everything that is on the file system of this path becomes durable.
void sync_file_system(const std::filesystem::path& path);

// Bytes an unprivileged writer may still store on the file system of path.
uint64_t free_space(const std::filesystem::path& path);

}  // namespace still
