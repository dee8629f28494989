// Memory that processes share, as the file that it is to the kernel: read by itself, whoever has it
// mapped, and with nothing changed in it. Addresses are offsets.
#pragma once

#include <sys/stat.h>

#include <vector>

#include "memory/page_source.h"
#include "os/fd.h"
#include "os/files.h"

namespace still::memory {

class SharedFile : public PageSource {
 public:
  explicit SharedFile(Fd file) : file_(std::move(file)) {}

  const Fd& fd() const { return file_; }
  struct stat status() const { return stat_fd(file_); }
  // Nobody can write to it any more, nor cut anything out (F_SEAL_WRITE).
  bool is_sealed() const;
  // Pages that are there, also swapped out; all others read as zeros. In the order of addresses, up
  // to the end of the page that the last byte is in. Throws Error(kSystem).
  std::vector<PageRun> pages() const;

  // Holes are read as zeros. The last page also has what is behind the end of the file, which a
  // mapping shows.
  std::optional<Failure> read(uint64_t address, std::byte* to, size_t size) const override;
  bool read(std::span<const PageRun> runs, std::byte* to) const override;

 private:
  bool read_behind_end(uint64_t address, std::byte* to, size_t size) const;

  const Fd file_;
};

}  // namespace still::memory
