// What an entry of a directory has besides its name and content, read and applied as a whole, so
// that every copy of a tree (staging, archive, restore) keeps the same things.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "os/fd.h"

namespace still {

// Of all name spaces. POSIX ACLs are among them as system.posix_acl_access and _default.
using Xattrs = std::map<std::string, std::string>;

struct Metadata {
  mode_t mode = 0;  // kind and permissions
  uid_t uid = 0;
  gid_t gid = 0;
  timespec atime{};  // tv_nsec UTIME_OMIT: not to be changed
  timespec mtime{};
  Xattrs xattrs;
  uint32_t inode_flags = 0;  // os/inode_flags.h
};

// What overlayfs keeps for itself in the xattrs of its layers.
inline constexpr std::string_view kOverlayXattrPrefix = "trusted.overlay.";

// An entry of an overlay's layer that hides one below it is a character device of this number, a
// whiteout.
inline constexpr dev_t kWhiteoutDevice = 0;
bool is_whiteout(const struct stat& status);

// An O_PATH descriptor of an entry of any kind; links are not followed. nullopt if there is none.
std::optional<Fd> open_entry(const Fd& directory, const std::string& name);

// The functions below take descriptors of any kind, O_PATH ones too, and throw Error(kSystem).

// nullopt if the entry has no such attribute.
std::optional<std::string> read_xattr(const Fd& entry, const std::string& name);
Metadata read_metadata(const Fd& entry);
// Owner, permissions (setuid and setgid included), xattrs and times. Attributes that are not among
// the wanted ones are removed, as a directory's default ACL leaves them on new entries; security
// labels, which the kernel sets, are not. The kind in mode is ignored, and so are the flags: with
// them nothing else could be changed any more, in a directory neither.
void apply_metadata(const Fd& entry, const Metadata& metadata);

}  // namespace still
