// See preload.h.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "criu/preload/preload.h"

const char* FileList::read() {
  if (is_read_) return text_;
  is_read_ = true;
  const char* path = ::getenv(variable_);
  const long file = path == nullptr ? -1 : ::syscall(SYS_open, path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return text_;
  const long size = ::syscall(SYS_read, file, text_, sizeof text_ - 1);
  text_[size < 0 ? 0 : size] = '\0';
  ::syscall(SYS_close, file);
  return text_;
}

const char* FileList::find(int file) {
  struct stat status;
  if (*read() == '\0' || ::fstat(file, &status) != 0 || status.st_nlink != 0) return nullptr;
  std::snprintf(line_, sizeof line_, "%lu %lu\n", static_cast<unsigned long>(status.st_dev),
                static_cast<unsigned long>(status.st_ino));
  const char* found = std::strstr(text_, line_);
  return found != nullptr && (found == text_ || found[-1] == '\n') ? line_ : nullptr;
}
