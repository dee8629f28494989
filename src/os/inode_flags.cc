#include "os/inode_flags.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/error.h"

namespace still {
namespace {

static_assert(kAppendOnly == FS_APPEND_FL && kImmutable == FS_IMMUTABLE_FL);

bool means_without(int error_number) {
  return error_number == ENOTTY || error_number == EOPNOTSUPP || error_number == EPERM;
}

}  // namespace

uint32_t read_inode_flags(const Fd& entry) {
  struct statx status{};
  if (::statx(entry.get(), "", AT_EMPTY_PATH, 0, &status) != 0) {
    throw Error::system(errno, "cannot ask for the flags of an inode");
  }
  return ((status.stx_attributes & STATX_ATTR_APPEND) != 0 ? kAppendOnly : 0) |
         ((status.stx_attributes & STATX_ATTR_IMMUTABLE) != 0 ? kImmutable : 0);
}

bool write_inode_flags(const Fd& opened, uint32_t flags) {
  int all = 0;  // the kernel takes an int here, whatever the type in the request's name
  bool done = ::ioctl(opened.get(), FS_IOC_GETFLAGS, &all) == 0;
  if (done) {
    all = (all & ~static_cast<int>(kAppendOnly | kImmutable)) | static_cast<int>(flags);
    done = ::ioctl(opened.get(), FS_IOC_SETFLAGS, &all) == 0;
  }
  if (!done && !means_without(errno)) {
    throw Error::system(errno, "cannot set the flags of an inode");
  }
  return done;
}

}  // namespace still
