// The memory of another process, for reading.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "memory/page_run.h"
#include "os/fd.h"

namespace still::memory {

class RemoteMemory {
 public:
  // Throws Error(kSystem) if the process has ended.
  explicit RemoteMemory(pid_t process);

  // Where reading ended before all was read, and errno.
  struct Failure {
    uint64_t address = 0;
    int number = 0;
  };
  // Stores [address, address + size), also where the process itself may not read. By several
  // threads at once.
  std::optional<Failure> read(uint64_t address, std::byte* to, size_t size) const;
  // Stores the pages of the runs one after the other, with as few calls as can be; at most
  // kMostRuns. False: something is not there, and nothing is known of what is stored.
  bool read(std::span<const PageRun> runs, std::byte* to) const;
  static constexpr size_t kMostRuns = 512;

 private:
  const pid_t process_;
  const Fd memory_;
};

}  // namespace still::memory
