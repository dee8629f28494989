#include "os/metadata.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "os/files.h"
#include "os/inode_flags.h"

namespace still {
namespace {

// The f*xattr calls and fchmod refuse O_PATH descriptors and cannot name a link; this name of the
// same open entry works for all of them, and the kernel does not resolve it further.
std::string proc_name(const Fd& entry) { return "/proc/self/fd/" + std::to_string(entry.get()); }

// Calls a function of the getxattr kind, which says ERANGE while the buffer is too small. nullopt
// if it fails with one of the errors that mean "nothing there".
template <typename Call>
std::optional<std::string> read_growing(const std::string& what, Call call) {
  std::string buffer(1024, '\0');
  for (;;) {
    const ssize_t size = call(buffer.data(), buffer.size());
    if (size >= 0) {
      buffer.resize(static_cast<size_t>(size));
      return buffer;
    }
    if (errno == ENODATA || errno == ENOTSUP) return std::nullopt;
    if (errno != ERANGE) throw Error::system(errno, "cannot read " + what);
    buffer.resize(buffer.size() * 4);
  }
}

std::vector<std::string> list_xattrs(const std::string& path) {
  const auto list = read_growing("the list of extended attributes", [&](char* data, size_t size) {
    return ::listxattr(path.c_str(), data, size);
  });
  if (!list || list->empty()) return {};
  return split(std::string_view(*list).substr(0, list->size() - 1), '\0');
}

bool is_removable(std::string_view xattr) {
  return !xattr.starts_with("security.") || xattr == "security.capability";
}

void remove_xattr(const std::string& path, const std::string& name) {
  if (::removexattr(path.c_str(), name.c_str()) != 0 && errno != ENODATA) {
    throw Error::system(errno, "cannot remove the extended attribute " + printable(name));
  }
}

void write_xattr(const std::string& path, const std::string& name, const std::string& value) {
  if (::setxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0) != 0) {
    throw Error::system(errno, "cannot set the extended attribute " + printable(name));
  }
}

void apply_xattrs(const std::string& path, const Xattrs& wanted) {
  for (const std::string& name : list_xattrs(path)) {
    if (!wanted.contains(name) && is_removable(name)) remove_xattr(path, name);
  }
  for (const auto& [name, value] : wanted) write_xattr(path, name, value);
}

void apply_owner(const Fd& entry, const struct stat& current, const Metadata& metadata) {
  if (current.st_uid == metadata.uid && current.st_gid == metadata.gid) return;
  if (::fchownat(entry.get(), "", metadata.uid, metadata.gid, AT_EMPTY_PATH) != 0) {
    throw Error::system(errno, "cannot change the owner");
  }
}

}  // namespace

bool is_whiteout(const struct stat& status) {
  return S_ISCHR(status.st_mode) && status.st_rdev == kWhiteoutDevice;
}

std::optional<Fd> open_entry(const Fd& directory, const std::string& name) {
  return open_at_if_exists(directory, name, O_PATH | O_NOFOLLOW);
}

std::optional<std::string> read_xattr(const Fd& entry, const std::string& name) {
  return read_growing("the extended attribute " + printable(name), [&](char* data, size_t size) {
    return ::getxattr(proc_name(entry).c_str(), name.c_str(), data, size);
  });
}

Metadata read_metadata(const Fd& entry) {
  const struct stat status = stat_fd(entry);
  Metadata metadata{.mode = status.st_mode,
                    .uid = status.st_uid,
                    .gid = status.st_gid,
                    .atime = status.st_atim,
                    .mtime = status.st_mtim,
                    .xattrs = {},
                    .inode_flags = read_inode_flags(entry)};
  for (const std::string& name : list_xattrs(proc_name(entry))) {
    if (auto value = read_xattr(entry, name)) metadata.xattrs.emplace(name, std::move(*value));
  }
  return metadata;
}

void apply_metadata(const Fd& entry, const Metadata& metadata) {
  const struct stat current = stat_fd(entry);
  const std::string path = proc_name(entry);
  // A change of owner clears setuid, setgid and security.capability: it comes first.
  apply_owner(entry, current, metadata);
  if (!S_ISLNK(current.st_mode) && ::chmod(path.c_str(), metadata.mode & 07777) != 0) {
    throw Error::system(errno, "cannot change the mode");
  }
  apply_xattrs(path, metadata.xattrs);
  const timespec times[] = {metadata.atime, metadata.mtime};
  if (::utimensat(entry.get(), "", times, AT_EMPTY_PATH) != 0) {
    throw Error::system(errno, "cannot set the times");
  }
}

}  // namespace still
