// The memory of a process at one instant, however it was taken: what can be merged into images.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace still::memory {

class Snapshot {
 public:
  explicit Snapshot(pid_t process) : process_(process) {}
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  virtual ~Snapshot() = default;

  // As the images know it.
  pid_t process() const { return process_; }
  // Stores the memory at [address, address + size). May be called by several threads at once.
  // Throws Error(kConflict) when it has gone.
  virtual void read(uint64_t address, std::byte* to, size_t size) const = 0;

 private:
  const pid_t process_;
};

using Snapshots = std::vector<std::unique_ptr<Snapshot>>;

}  // namespace still::memory
