// Preloaded into CRIU alone. What inotify(7) or fanotify(7) watches the kernel tells by a file
// handle, and CRIU asks the file system for the file's path. Overlays answer only where they are
// exported, and CRIU then looks in /etc and a few other places; a watch elsewhere in the root file
// system of a container made the dump fail. An overlay's handle holds that of the file in one of
// its layers, whose path ends with the path that the file has in the overlay: the end that leads to
// a file with the very handle that was asked for is the answer. The kernel has the names at hand,
// for the overlay keeps the files of its layers open. (CRIU 4.1.1: open_by_handle() in
// criu/fsnotify.c; Linux: struct ovl_fh in fs/overlayfs/overlayfs.h.)

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "criu/preload/preload.h"

namespace {

// As the kernel has it; the one of glibc has no room for what follows.
struct Handle {
  uint32_t bytes;
  int32_t type;
  uint8_t content[MAX_HANDLE_SZ];
};

constexpr int32_t kOverlayType = 0xf8;  // OVL_FILEID_V1
constexpr uint8_t kMagic = 0xfb;
// Padding, version, magic, length, flags, then the type of the handle in it and the layer's UUID.
constexpr size_t kMagicAt = 4;
constexpr size_t kTypeAt = 7;
constexpr size_t kContentAt = 24;

long call(long number, long a, long b, long c, long d, long e, long f) {
  long result = 0;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  constexpr long kLastError = -4095;
  if (result < 0 && result >= kLastError) {
    errno = static_cast<int>(-result);
    return -1;
  }
  return result;
}

bool layer_handle(const Handle& overlay, Handle& layer) {
  if (overlay.type != kOverlayType || overlay.bytes <= kContentAt ||
      overlay.bytes > sizeof overlay.content || overlay.content[kMagicAt] != kMagic) {
    return false;
  }
  layer.bytes = overlay.bytes - kContentAt;
  layer.type = overlay.content[kTypeAt];
  std::memcpy(layer.content, overlay.content + kContentAt, layer.bytes);
  return true;
}

// The path of the file in its layer. place: a directory in the file system of the layer.
bool path_in_layer(const Handle& layer, const char* place, char (&path)[PATH_MAX]) {
  const int directory = ::open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return false;
  const long file = call(SYS_open_by_handle_at, directory, reinterpret_cast<long>(&layer),
                         O_PATH | O_CLOEXEC, 0, 0, 0);
  ::close(directory);
  if (file < 0) return false;
  char link[64];
  std::snprintf(link, sizeof link, "/proc/self/fd/%ld", file);
  const long size = call(SYS_readlink, reinterpret_cast<long>(link), reinterpret_cast<long>(path),
                         sizeof path - 1, 0, 0, 0);
  ::close(static_cast<int>(file));
  if (size <= 0) return false;
  path[size] = '\0';
  return true;
}

bool has_handle(int file, const Handle& wanted) {
  constexpr int kNotToBeOpened = 0x200;  // AT_HANDLE_FID since Linux 6.6: as inotify has it
  Handle found = {};
  found.bytes = sizeof found.content;
  int mount = 0;
  const long done =
      call(SYS_name_to_handle_at, file, reinterpret_cast<long>(""), reinterpret_cast<long>(&found),
           reinterpret_cast<long>(&mount), AT_EMPTY_PATH | kNotToBeOpened, 0);
  return done == 0 && found.type == wanted.type && found.bytes == wanted.bytes &&
         std::memcmp(found.content, wanted.content, wanted.bytes) == 0;
}

int open_in(int root, const char* path) {
  open_how how = {};
  how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS;
  return static_cast<int>(call(SYS_openat2, root, reinterpret_cast<long>(path),
                               reinterpret_cast<long>(&how), sizeof how, 0, 0));
}

// Negative: there is none.
int open_by_end_of(const char* path, int root, const Handle& wanted) {
  for (const char* end = path; end != nullptr; end = std::strchr(end + 1, '/')) {
    const int file = open_in(root, end);
    if (file < 0) continue;
    if (has_handle(file, wanted)) return file;
    ::close(file);
  }
  // The root directory itself, whose path is that of a layer.
  const int file = open_in(root, "/");
  if (file >= 0 && has_handle(file, wanted)) return file;
  if (file >= 0) ::close(file);
  return -1;
}

int open_in_overlay(const Handle& wanted) {
  const char* root_path = ::getenv("STILL_CRIU_ROOT");
  const char* upper = ::getenv("STILL_CRIU_LAYER");
  Handle layer = {};
  if (root_path == nullptr || upper == nullptr || !layer_handle(wanted, layer)) return -1;
  char path[PATH_MAX];
  // Lower layers are on the same file system mostly, or where this machine's own root is.
  if (!path_in_layer(layer, upper, path) && !path_in_layer(layer, "/", path)) return -1;
  const int root = ::open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) return -1;
  const int file = open_by_end_of(path, root, wanted);
  ::close(root);
  return file;
}

}  // namespace

// CRIU calls open_by_handle_at(2) by its number.
EXPORTED long syscall(long number, ...) noexcept {
  va_list arguments;
  va_start(arguments, number);
  long a[6];
  for (long& argument : a) argument = va_arg(arguments, long);
  va_end(arguments);
  const long result = call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (number != SYS_open_by_handle_at || result >= 0) return result;
  const int error = errno;
  const int file = open_in_overlay(*std::bit_cast<const Handle*>(a[1]));
  if (file < 0) errno = error;
  return file;
}
