#include "memory/soft_dirty.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "base/error.h"
#include "base/format.h"
#include "criu/memory_images.h"
#include "os/files.h"

namespace still::memory {
namespace {

bool is_marked_changed(const Fd& pagemap, const void* page) {
  constexpr uint64_t kSoftDirty = uint64_t{1} << 55;  // admin-guide/mm/pagemap.rst
  uint64_t entry = 0;
  const auto index = reinterpret_cast<uint64_t>(page) / criu::kPageSize;
  if (::pread(pagemap.get(), &entry, sizeof entry, static_cast<off_t>(index * sizeof entry)) !=
      sizeof entry) {
    throw Error::system(errno, "cannot read /proc/self/pagemap");
  }
  return (entry & kSoftDirty) != 0;
}

}  // namespace

bool kernel_tracks_changes() {
  const Fd pagemap = open_file("/proc/self/pagemap", O_RDONLY);
  void* memory =
      ::mmap(nullptr, criu::kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw Error::system(errno, "cannot map a page");
  volatile char* page = static_cast<char*>(memory);
  *page = 1;
  forget_changes(::getpid());
  const bool forgotten = !is_marked_changed(pagemap, memory);
  *page = 2;
  const bool noticed = is_marked_changed(pagemap, memory);
  ::munmap(memory, criu::kPageSize);
  return forgotten && noticed;
}

void forget_changes(pid_t pid) try {
  write_control_file(formatted("/proc/{}/clear_refs", pid), "4");
} catch (const Error& error) {
  if (error.error_number() != ENOENT && error.error_number() != ESRCH) throw;
}

}  // namespace still::memory
