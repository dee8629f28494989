// Preloaded into CRIU alone. CRIU opens every file that a process has open once more, by its own
// /proc/self/fd, to look for a build id in it. That breaks a write lease on the file (fcntl(2),
// F_SETLEASE): its holder gets a signal, and CRIU, which holds the holder, waits until the kernel's
// patience is over (45 s). A file that its process has opened for reading, too, can be read by that
// descriptor as well: a build id is read from a mapping, so nothing moves. Of one that is deleted
// CRIU would read the content by its position; that fails at once.
// (CRIU 4.1.1: store_validation_data_build_id() and dump_ghost_file() in criu/files-reg.c.)

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "criu/preload/preload.h"

namespace {

bool is_own(int directory) {
  struct stat given = {};
  struct stat own = {};
  return ::fstat(directory, &given) == 0 && ::stat("/proc/self", &own) == 0 &&
         given.st_dev == own.st_dev && given.st_ino == own.st_ino;
}

}  // namespace

int instead_of_opening(int directory, const char* path, int flags) {
  constexpr const char* kDescriptor = "fd/";
  const size_t length = std::strlen(kDescriptor);
  const bool reads_again =
      std::strncmp(path, kDescriptor, length) == 0 && (flags & (O_ACCMODE | O_PATH)) == O_RDONLY;
  char* end = nullptr;
  const long file = reads_again ? std::strtol(path + length, &end, 10) : -1;
  const bool is_number = reads_again && end != path + length && *end == '\0';
  if (!is_number || ::fcntl(static_cast<int>(file), F_GETLEASE) != F_WRLCK || !is_own(directory)) {
    errno = 0;
    return -1;
  }
  struct stat status = {};
  if (::fstat(static_cast<int>(file), &status) == 0 && status.st_nlink > 0) {
    return ::fcntl(static_cast<int>(file), F_DUPFD_CLOEXEC, 0);
  }
  errno = EBUSY;
  return -1;
}
