// Preloaded into CRIU alone. To look at what a mount has below those that are mounted on it, CRIU
// makes a directory "cr-tmpfs.XXXXXX" in the container's /tmp or /, and mounts it there for a
// moment: the directory's times change, and whoever watches it, or /proc/self/mountinfo, is told.
// Where it can make none it looks from a mount namespace of its own, of which nobody sees anything.
// So it can make none. (CRIU 4.1.1: open_mountpoint() and get_clean_fd() in criu/mount.c.)

#include <dlfcn.h>

#include <cerrno>
#include <cstring>

#include "criu/preload/preload.h"

EXPORTED char* mkdtemp(char* pattern) noexcept {
  if (std::strstr(pattern, "/cr-tmpfs.") != nullptr) {
    errno = EROFS;
    return nullptr;
  }
  using Function = char*(char*);
  static auto* next = reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, "mkdtemp"));
  return next(pattern);
}
