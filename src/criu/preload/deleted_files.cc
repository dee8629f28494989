// Preloaded into CRIU alone: a file without a name is written into the images while the container
// stands still, however big it is. Those in the list that STILL_CRIU_DELETED names (a line "DEVICE
// INODE" for each) have been copied before, and others put their content into the images when the
// container runs on: CRIU finds that they have no data. Which of them it has asked about is in
// another file, that name with ".asked" behind it: they must be completed.
// (CRIU 4.1.1: copy_file_to_chunks_fiemap() and copy_file_to_chunks() in criu/files-reg.c.)

#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "criu/preload/preload.h"

namespace {

FileList list("STILL_CRIU_DELETED");

bool note(const char* line) {
  char path[kPathSize];
  std::snprintf(path, sizeof path, "%s.asked", ::getenv("STILL_CRIU_DELETED"));
  const long file =
      ::syscall(SYS_open, path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const auto size = static_cast<long>(std::strlen(line));
  const bool is_written = ::syscall(SYS_write, file, line, size) == size;
  ::syscall(SYS_close, file);
  return is_written;
}

}  // namespace

bool is_copied_by_others(int file) {
  const char* line = list.find(file);
  return line != nullptr && note(line);
}

EXPORTED off64_t lseek64(int file, off64_t offset, int whence) noexcept {
  if (whence == SEEK_DATA && (is_copied_by_others(file) || is_shared_memory_of_others(file))) {
    errno = ENXIO;
    return -1;
  }
  return ::syscall(SYS_lseek, file, offset, whence);
}
