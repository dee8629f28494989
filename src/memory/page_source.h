// Where pages can be read that others may change meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "memory/page_run.h"

namespace still::memory {

class PageSource {
 public:
  PageSource() = default;
  PageSource(const PageSource&) = delete;
  PageSource& operator=(const PageSource&) = delete;
  virtual ~PageSource() = default;

  // Where reading ended before all was read, and errno.
  struct Failure {
    uint64_t address = 0;
    int number = 0;
  };
  // Stores [address, address + size). By several threads at once.
  virtual std::optional<Failure> read(uint64_t address, std::byte* to, size_t size) const = 0;
  // Stores the pages of the runs one after the other, with as few calls as can be; at most
  // kMostRuns. False: something is not there, and nothing is known of what is stored.
  virtual bool read(std::span<const PageRun> runs, std::byte* to) const = 0;
  static constexpr size_t kMostRuns = 512;
};

}  // namespace still::memory
