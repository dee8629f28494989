// The memory of another process, for reading.
#pragma once

#include <sys/types.h>

#include "memory/page_source.h"
#include "os/fd.h"

namespace still::memory {

class RemoteMemory : public PageSource {
 public:
  // Throws Error(kSystem) if the process has ended.
  explicit RemoteMemory(pid_t process);

  // Also where the process itself may not read.
  std::optional<Failure> read(uint64_t address, std::byte* to, size_t size) const override;
  bool read(std::span<const PageRun> runs, std::byte* to) const override;

 private:
  const pid_t process_;
  const Fd memory_;
};

}  // namespace still::memory
