#include "memory/shared_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <bit>
#include <cerrno>

#include "base/error.h"

namespace still::memory {
namespace {

uint64_t page_up(uint64_t offset) {
  return (offset + criu::kPageSize - 1) / criu::kPageSize * criu::kPageSize;
}

}  // namespace

bool SharedFile::is_sealed() const {
  const int seals = ::fcntl(file_.get(), F_GET_SEALS);
  return seals >= 0 && (seals & F_SEAL_WRITE) != 0;
}

std::vector<PageRun> SharedFile::pages() const {
  std::vector<PageRun> runs;
  for (off_t hole = 0;;) {
    const off_t data = ::lseek(file_.get(), hole, SEEK_DATA);
    if (data >= 0) hole = ::lseek(file_.get(), data, SEEK_HOLE);
    if ((data < 0 || hole < 0) && errno == ENXIO) return runs;  // also when it was cut meanwhile
    if (data < 0 || hole < 0) throw Error::system(errno, "cannot find the pages of shared memory");
    const uint64_t start = static_cast<uint64_t>(data) / criu::kPageSize * criu::kPageSize;
    append(runs, run_between(start, page_up(static_cast<uint64_t>(hole))));
  }
}

// As another process, so that the end of the file may move meanwhile.
bool SharedFile::read_behind_end(uint64_t address, std::byte* to, size_t size) const {
  const uint64_t start = address / criu::kPageSize * criu::kPageSize;
  void* const page = ::mmap(nullptr, criu::kPageSize, PROT_READ, MAP_SHARED, file_.get(),
                            static_cast<off_t>(start));
  if (page == MAP_FAILED) return false;
  const iovec here{to, size};
  const iovec there{static_cast<std::byte*>(page) + (address - start), size};
  const bool is_read =
      ::process_vm_readv(::getpid(), &here, 1, &there, 1, 0) == static_cast<ssize_t>(size);
  ::munmap(page, criu::kPageSize);
  return is_read;
}

std::optional<PageSource::Failure> SharedFile::read(uint64_t address, std::byte* to,
                                                    size_t size) const {
  for (size_t done = 0; done < size;) {
    const uint64_t place = address + done;
    const ssize_t got = ::pread(file_.get(), to + done, size - done, static_cast<off_t>(place));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failure{.address = place, .number = errno};
    done += static_cast<size_t>(got);
    if (got > 0) continue;
    const size_t rest = page_up(place) - place;
    if (rest == 0 || rest > size - done || !read_behind_end(place, to + done, rest)) {
      return Failure{.address = place, .number = ENODATA};
    }
    done += rest;
  }
  return std::nullopt;
}

bool SharedFile::read(std::span<const PageRun> runs, std::byte* to) const {
  for (const PageRun& run : runs) {
    if (read(run.address, to, run.bytes())) return false;
    to += run.bytes();
  }
  return true;
}

}  // namespace still::memory
