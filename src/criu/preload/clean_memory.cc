// Preloaded into CRIU alone, for the time of a dump whose memory is copied by others
// (STILL_CRIU_CLEAN_MEMORY in its environment): CRIU then writes only the pages that have changed
// since a parent image, and none has. Kernels without soft-dirty bits (CONFIG_MEM_SOFT_DIRTY) show
// every page as unchanged, which is the right answer here, but CRIU asks first whether the kernel
// tracks changes at all: it writes "4" to its own clear_refs, changes a page and reads whether
// that page's entry in its own pagemap has the bit. Here it has.
//
// What CRIU learns of the kernel it keeps in /run/criu.kdat. A CRIU without this library must never
// see what one with it has learned (it would leave changed pages out of a real difference), nor the
// other way round: the variable's value is the file that takes the other's place.
// (CRIU 4.1.1: kerndat_get_dirty_track() and kerndat_save_cache() in criu/kerndat.c.)

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>

#include "criu/preload/preload.h"

namespace {

constexpr const char* kVariable = "STILL_CRIU_CLEAN_MEMORY";
constexpr const char* kKnowledge = "/run/criu.kdat";
constexpr const char* kTemporarySuffix = ".tmp";

bool ends_with(const char* text, const char* end) {
  const size_t length = std::strlen(text);
  const size_t end_length = std::strlen(end);
  return length >= end_length && std::strcmp(text + length - end_length, end) == 0;
}

bool is_open_on(int fd, const char* name) {
  char link[64];
  char path[kPathSize];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = ::readlink(link, path, sizeof path - 1);
  if (length <= 0) return false;
  path[length] = '\0';
  return ends_with(path, name);
}

}  // namespace

const char* knowledge_path(const char* path, char (&buffer)[kPathSize]) {
  const char* ours = ::getenv(kVariable);
  if (ours == nullptr || std::strncmp(path, kKnowledge, std::strlen(kKnowledge)) != 0) return path;
  const char* suffix = path + std::strlen(kKnowledge);
  if (*suffix != '\0' && std::strcmp(suffix, kTemporarySuffix) != 0) return path;
  std::snprintf(buffer, sizeof buffer, "%s%s", ours, suffix);
  return buffer;
}

EXPORTED ssize_t read(int fd, void* buffer, size_t size) {
  if (!may_read_terminal(fd, size)) return -1;
  const ssize_t got = ::syscall(SYS_read, fd, buffer, size);
  // Only the probe reads a pagemap like this; the dump uses pread() and an ioctl.
  if (got != sizeof(uint64_t) || size != sizeof(uint64_t) || ::getenv(kVariable) == nullptr ||
      !is_open_on(fd, "/pagemap")) {
    return got;
  }
  constexpr uint64_t kSoftDirty = uint64_t{1} << 55;  // admin-guide/mm/pagemap.rst
  uint64_t entry = 0;
  std::memcpy(&entry, buffer, sizeof entry);
  entry |= kSoftDirty;
  std::memcpy(buffer, &entry, sizeof entry);
  return got;
}

EXPORTED ssize_t write(int fd, const void* buffer, size_t size) {
  const bool resets = size >= 1 && size <= 2 && *static_cast<const char*>(buffer) == '4' &&
                      ::getenv(kVariable) != nullptr && is_open_on(fd, "/clear_refs");
  // Nobody is interested in what the processes change from here on.
  if (resets) return static_cast<ssize_t>(size);
  return ::syscall(SYS_write, fd, buffer, size);
}

EXPORTED int rename(const char* from, const char* to) noexcept {
  char from_buffer[kPathSize];
  char to_buffer[kPathSize];
  return static_cast<int>(
      ::syscall(SYS_rename, knowledge_path(from, from_buffer), knowledge_path(to, to_buffer)));
}

EXPORTED int unlink(const char* path) noexcept {
  char buffer[kPathSize];
  return static_cast<int>(::syscall(SYS_unlink, knowledge_path(path, buffer)));
}
