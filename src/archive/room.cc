#include "archive/room.h"

#include <sys/statvfs.h>

#include <cerrno>
#include <string>

#include "base/error.h"
#include "base/text.h"

namespace still::archive {
namespace {

constexpr uint64_t kSmall = uint64_t{4} << 20;

}  // namespace

void require_room(const Fd& file, uint64_t size_bytes) {
  if (size_bytes < kSmall) return;
  struct statvfs status{};
  if (::fstatvfs(file.get(), &status) != 0)
    throw Error::system(errno, "cannot tell the free space");
  const uint64_t free = uint64_t{status.f_bavail} * status.f_frsize;
  if (size_bytes <= free) return;
  throw Error::system(ENOSPC, "it needs " + human_size(size_bytes) + ", and the file system has " +
                                  human_size(free))
      .with_hint("make room, or use a store elsewhere: --root DIR");
}

}  // namespace still::archive
