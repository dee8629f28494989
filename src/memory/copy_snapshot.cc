#include "memory/copy_snapshot.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/format.h"
#include "os/files.h"
#include "os/process_status.h"

namespace still::memory {
namespace {

class CopySnapshot : public Snapshot {
 public:
  explicit CopySnapshot(const Copy& copy)
      : Snapshot(copy.process), copy_(copy), memory_(open_memory()) {}

  void read(uint64_t address, std::byte* to, size_t size) const override {
    read_around(address, to, size);
    for (const Bytes& correction : copy_.corrections) {
      const uint64_t start = std::max(address, correction.address);
      const uint64_t end = std::min(address + size, correction.address + correction.bytes.size());
      if (start >= end) continue;
      std::memcpy(to + (start - address), correction.bytes.data() + (start - correction.address),
                  end - start);
    }
  }

 private:
  Fd open_memory() const try {
    return open_file(formatted("/proc/{}/mem", copy_.child), O_RDONLY);
  } catch (const Error& error) {
    fail(0, error.error_number());
  }

  // What is corrected may not be there at all.
  void read_around(uint64_t address, std::byte* to, size_t size) const {
    for (const Bytes& correction : copy_.corrections) {
      const uint64_t start = std::max(address, correction.address);
      const uint64_t end = std::min(address + size, correction.address + correction.bytes.size());
      if (start >= end) continue;
      if (start > address) read_around(address, to, start - address);
      if (end < address + size) read_around(end, to + (end - address), address + size - end);
      return;
    }
    const iovec here{to, size};
    const iovec there{std::bit_cast<void*>(address), size};
    const ssize_t got = ::process_vm_readv(copy_.child, &here, 1, &there, 1, 0);
    if (got == static_cast<ssize_t>(size)) return;
    const size_t done = got > 0 ? static_cast<size_t>(got) : 0;
    read_forced(address + done, to + done, size - done);
  }

  // Also where the process itself may not read.
  void read_forced(uint64_t address, std::byte* to, size_t size) const {
    while (size > 0) {
      const ssize_t got = ::pread(memory_.get(), to, size, static_cast<off_t>(address));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) fail(address, got < 0 ? errno : ESRCH);
      address += static_cast<uint64_t>(got);
      to += got;
      size -= static_cast<size_t>(got);
    }
  }

  [[noreturn]] void fail(uint64_t address, int number) const {
    // It executes nothing: only somebody else can end it.
    const auto stat = process_stat(copy_.child);
    if (!stat || stat->is_ending()) {
      throw Error(
          ErrorKind::kConflict,
          formatted("the copy of process {} was killed before all of it was read", copy_.process),
          "the kernel does that when memory is short: leave more free, or use "
          "--memory-cut=stock");
    }
    throw Error(ErrorKind::kConflict,
                formatted("the copy of process {} cannot be read at {:#x}: {}", copy_.process,
                          address, std::strerror(number)));
  }

  const Copy& copy_;
  const Fd memory_;
};

}  // namespace

Snapshots snapshots_of(const std::vector<Copy>& copies) {
  Snapshots snapshots;
  for (const Copy& copy : copies) snapshots.push_back(std::make_unique<CopySnapshot>(copy));
  return snapshots;
}

}  // namespace still::memory
