#include "os/share.h"

#include <linux/btrfs.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/text.h"
#include "os/files.h"

namespace still {
namespace {

// The root directory of every subvolume (BTRFS_FIRST_FREE_OBJECTID).
constexpr ino_t kSubvolumeRoot = 256;

bool is_btrfs(const Fd& directory) {
  struct statfs status{};
  return ::fstatfs(directory.get(), &status) == 0 && status.f_type == BTRFS_SUPER_MAGIC;
}

template <size_t Size>
void put_name(char (&field)[Size], const std::string& name) {
  if (name.size() >= Size) {
    throw Error::system(ENAMETOOLONG, "cannot make the subvolume " + printable(name));
  }
  std::memcpy(field, name.c_str(), name.size() + 1);
}

// The answers of file systems that do not know a request, or not for these two places.
bool means_unsupported(int error_number) {
  return error_number == ENOTTY || error_number == EOPNOTSUPP || error_number == EXDEV ||
         error_number == EINVAL;
}

}  // namespace

CloneResult clone_content(const Fd& source, const Fd& target) {
  if (::ioctl(target.get(), FICLONE, source.get()) != 0) {
    switch (errno) {
      case EOPNOTSUPP:
      case ENOTTY:
      case EXDEV:
        return CloneResult::kNever;
      case EINVAL:
      case ETXTBSY:
        return CloneResult::kNotThisFile;
      default:
        throw Error::system(errno, "cannot clone");
    }
  }
  // A target that was longer keeps what is behind the end of the source.
  if (::ftruncate(target.get(), stat_fd(source).st_size) != 0) {
    throw Error::system(errno, "cannot set the size");
  }
  return CloneResult::kDone;
}

bool is_subvolume(const Fd& directory) {
  return stat_fd(directory).st_ino == kSubvolumeRoot && is_btrfs(directory);
}

bool make_subvolume(const Fd& parent, const std::string& name) {
  if (!is_btrfs(parent)) return false;
  btrfs_ioctl_vol_args arguments{};
  put_name(arguments.name, name);
  if (::ioctl(parent.get(), BTRFS_IOC_SUBVOL_CREATE, &arguments) != 0 ||
      ::fchmodat(parent.get(), name.c_str(), 0755, 0) != 0) {
    throw Error::system(errno, "cannot make the subvolume " + printable(name));
  }
  return true;
}

bool snapshot_subvolume(const Fd& source, const Fd& parent, const std::string& name) {
  if (!is_subvolume(source)) return false;
  btrfs_ioctl_vol_args_v2 arguments{};
  arguments.fd = source.get();
  arguments.flags = BTRFS_SUBVOL_RDONLY;
  put_name(arguments.name, name);
  if (::ioctl(parent.get(), BTRFS_IOC_SNAP_CREATE_V2, &arguments) == 0) return true;
  if (means_unsupported(errno)) return false;
  throw Error::system(errno, "cannot make the snapshot " + printable(name));
}

void remove_subvolume(const Fd& parent, const std::string& name) {
  btrfs_ioctl_vol_args arguments{};
  put_name(arguments.name, name);
  if (::ioctl(parent.get(), BTRFS_IOC_SNAP_DESTROY, &arguments) != 0) {
    throw Error::system(errno, "cannot remove the subvolume " + printable(name));
  }
}

}  // namespace still
