#include "memory/copy_snapshot.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/format.h"
#include "memory/remote_memory.h"
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
  RemoteMemory open_memory() const try {
    return RemoteMemory(copy_.child);
  } catch (const Error& error) {
    fail({.address = 0, .number = error.error_number()});
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
    if (const auto failure = memory_.read(address, to, size)) fail(*failure);
  }

  [[noreturn]] void fail(const RemoteMemory::Failure& failure) const {
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
                          failure.address, std::strerror(failure.number)));
  }

  const Copy& copy_;
  const RemoteMemory memory_;
};

}  // namespace

Snapshots snapshots_of(const std::vector<Copy>& copies) {
  Snapshots snapshots;
  for (const Copy& copy : copies) snapshots.push_back(std::make_unique<CopySnapshot>(copy));
  return snapshots;
}

}  // namespace still::memory
