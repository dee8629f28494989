// CRIU's open(2): see clean_memory.cc and freeze_gate.cc.
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "criu/preload/preload.h"

EXPORTED int open64(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
  }
  if (!pass_freeze_gate(path)) return -1;
  char buffer[kPathSize];
  return static_cast<int>(
      ::syscall(SYS_openat, AT_FDCWD, knowledge_path(path, buffer), flags, mode));
}
