#include "os/files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "os/atomic_file.h"
#include "os/inode_flags.h"
#include "os/share.h"
#include "os/walk.h"

namespace still {
namespace {

constexpr size_t kReadSize = size_t{64} << 10;

std::string quoted(const std::filesystem::path& path) { return printable(path.native()); }

[[noreturn]] void fail(int error_number, std::string_view what, const std::filesystem::path& path) {
  throw Error::system(error_number, std::string(what) + " " + quoted(path));
}

// ESRCH: in /proc of a process that has ended.
bool means_absent(int error_number) {
  return error_number == ENOENT || error_number == ENOTDIR || error_number == ESRCH;
}

// Takes the flags off an inode that keep it, or what is in it, from being removed. Returns them.
uint32_t loosen(const Fd& opened) {
  const uint32_t flags = read_inode_flags(opened);
  if (flags != 0) write_inode_flags(opened, 0);
  return flags;
}

// Whose entry is removed: a directory of the tree, or that in which the tree is.
enum class Holder { kOfTheTree, kOutside };

// unlinkat(2), also where flags of the inode or of its directory forbid it: 0, or errno's value.
int unlink_whatever(const Fd& directory, const std::string& name, int flags, Holder holder) {
  const auto unlink = [&] {
    return ::unlinkat(directory.get(), name.c_str(), flags) == 0 || errno == ENOENT ? 0 : errno;
  };
  const int error_number = unlink();
  if (error_number != EPERM) return error_number;
  if (holder == Holder::kOfTheTree) loosen(open_at(directory, ".", O_RDONLY | O_DIRECTORY));
  const auto status = stat_at(directory, name);
  if (!status || (!S_ISREG(status->st_mode) && !S_ISDIR(status->st_mode))) return unlink();
  const Fd entry = open_at(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  const uint32_t taken_off = loosen(entry);
  const int result = unlink();
  // Its other names may be somebody else's.
  if (taken_off != 0 && stat_fd(entry).st_nlink > 0) write_inode_flags(entry, taken_off);
  return result;
}

void remove_entry(const Fd& directory, const std::string& name, Holder holder) {
  const int error_number = unlink_whatever(directory, name, 0, holder);
  if (error_number != 0) fail(error_number, "cannot remove", name);
}

// Empty, or a subvolume: a walk does not enter those, because they are other devices.
void remove_emptied(const Fd& directory, const std::string& name, Holder holder) {
  const int error_number = unlink_whatever(directory, name, AT_REMOVEDIR, holder);
  if (error_number == 0) return;
  if (!is_subvolume(open_at(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))) {
    fail(error_number, "cannot remove", name);
  }
  remove_subvolume(directory, name);
}

}  // namespace

Fd open_file(const std::filesystem::path& path, int flags, mode_t mode) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) fail(errno, "cannot open", path);
  return Fd(fd);
}

std::optional<Fd> open_if_exists(const std::filesystem::path& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd >= 0) return Fd(fd);
  if (means_absent(errno)) return std::nullopt;
  fail(errno, "cannot open", path);
}

Fd open_at(const Fd& directory, const std::string& name, int flags, mode_t mode) {
  const int fd = ::openat(directory.get(), name.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) fail(errno, "cannot open", name);
  return Fd(fd);
}

std::optional<Fd> open_at_if_exists(const Fd& directory, const std::string& name, int flags) {
  const int fd = ::openat(directory.get(), name.c_str(), flags | O_CLOEXEC);
  if (fd >= 0) return Fd(fd);
  if (means_absent(errno)) return std::nullopt;
  fail(errno, "cannot open", name);
}

Fd open_beneath(const Fd& directory, const std::string& path, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags) | O_CLOEXEC;
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (;;) {
    const long fd = ::syscall(SYS_openat2, directory.get(), path.c_str(), &how, sizeof how);
    if (fd >= 0) return Fd(static_cast<int>(fd));
    // EAGAIN: a rename elsewhere raced with the walk through "..", see openat2(2).
    if (errno != EAGAIN && errno != EINTR) fail(errno, "cannot open", path);
  }
}

struct stat stat_fd(const Fd& fd) {
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) throw Error::system(errno, "cannot stat an open file");
  return status;
}

std::optional<struct stat> stat_at(const Fd& directory, const std::string& name) {
  struct stat status{};
  return stat_into(directory, name, status) ? std::optional(status) : std::nullopt;
}

bool stat_into(const Fd& directory, const std::string& name, struct stat& status) {
  if (::fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return true;
  if (means_absent(errno)) return false;
  fail(errno, "cannot stat", name);
}

bool path_exists(const std::filesystem::path& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0) return true;
  if (means_absent(errno)) return false;
  fail(errno, "cannot stat", path);
}

std::string read_file(const std::filesystem::path& path) {
  try {
    return read_all(open_file(path, O_RDONLY));
  } catch (const Error& error) {
    throw error.in(quoted(path));
  }
}

std::string read_all(const Fd& fd) {
  std::string content;
  for (;;) {
    const size_t old_size = content.size();
    content.resize(old_size + kReadSize);
    const ssize_t got = ::read(fd.get(), content.data() + old_size, kReadSize);
    if (got < 0 && errno != EINTR) throw Error::system(errno, "cannot read");
    content.resize(old_size + static_cast<size_t>(got > 0 ? got : 0));
    if (got == 0) return content;
  }
}

std::optional<std::string> read_file_if_exists(const std::filesystem::path& path) {
  const auto fd = open_if_exists(path, O_RDONLY);
  if (!fd) return std::nullopt;
  try {
    return read_all(*fd);
  } catch (const Error& error) {
    // /proc of a process that has ended, or of a descriptor that it has closed.
    if (error.error_number() == ESRCH || error.error_number() == ENOENT) return std::nullopt;
    throw error.in(quoted(path));
  }
}

std::string read_link_at(const Fd& directory, const std::string& name) {
  std::string target(256, '\0');
  for (;;) {
    const ssize_t length =
        ::readlinkat(directory.get(), name.c_str(), target.data(), target.size());
    if (length < 0) fail(errno, "cannot read the link", name);
    if (static_cast<size_t>(length) < target.size()) {
      target.resize(static_cast<size_t>(length));
      return target;
    }
    target.resize(target.size() * 2);
  }
}

void write_all(const Fd& fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t written = ::write(fd.get(), data.data(), data.size());
    if (written < 0 && errno != EINTR) throw Error::system(errno, "cannot write");
    if (written > 0) data.remove_prefix(static_cast<size_t>(written));
  }
}

void write_control_file(const std::filesystem::path& path, std::string_view value) {
  const Fd fd = open_file(path, O_WRONLY);
  if (::write(fd.get(), value.data(), value.size()) < 0) {
    fail(errno, "cannot write \"" + printable(value) + "\" to", path);
  }
}

void write_file_atomically(const std::filesystem::path& path, std::string_view data, mode_t mode) {
  AtomicFile file(path, mode);
  write_all(file.fd(), data);
  file.commit();
}

void make_directory(const std::filesystem::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0) {
    const int error_number = errno;
    if (error_number == EEXIST && std::filesystem::is_directory(path)) return;
    fail(error_number, "cannot make the directory", path);
  }
  if (::chmod(path.c_str(), mode) != 0) fail(errno, "cannot set the mode of", path);
}

void make_directories(const std::filesystem::path& path, mode_t mode) {
  if (path.empty() || path_exists(path)) return;
  make_directories(path.parent_path(), mode);
  make_directory(path, mode);
}

void remove_tree(const std::filesystem::path& path) {
  const auto parent =
      open_if_exists(path.has_parent_path() ? path.parent_path() : ".", O_RDONLY | O_DIRECTORY);
  if (parent) remove_tree_at(*parent, path.filename());
}

void remove_tree_at(const Fd& directory, const std::string& name) {
  const auto status = stat_at(directory, name);
  if (!status) return;
  if (!S_ISDIR(status->st_mode)) return remove_entry(directory, name, Holder::kOutside);
  walk_tree(open_at(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW),
            {.cross_file_systems = false}, [](const WalkEntry& entry) {
              if (entry.kind == WalkEntry::kDirectoryLeave) {
                remove_emptied(entry.parent, entry.name, Holder::kOfTheTree);
              } else if (entry.kind == WalkEntry::kOther) {
                remove_entry(entry.parent, entry.name, Holder::kOfTheTree);
              }
            });
  remove_emptied(directory, name, Holder::kOutside);
}

void sync_directory(const std::filesystem::path& path) {
  const Fd fd = open_file(path, O_RDONLY | O_DIRECTORY);
  if (::fsync(fd.get()) != 0) fail(errno, "cannot sync the directory", path);
}

void sync_file_system(const std::filesystem::path& path) {
  const Fd fd = open_file(path, O_RDONLY);
  if (::syncfs(fd.get()) != 0) fail(errno, "cannot sync the file system of", path);
}

uint64_t free_space(const std::filesystem::path& path) {
  struct statvfs status{};
  if (::statvfs(path.c_str(), &status) != 0) fail(errno, "cannot stat the file system of", path);
  return uint64_t{status.f_bavail} * status.f_frsize;
}

}  // namespace still
