// A file that appears under its name only when it is complete and durable.
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "os/fd.h"

namespace still {

class AtomicFile {
 public:
  // Makes a private temporary file with exactly this mode in the target's directory, which must
  // exist. Throws Error(kSystem) naming the target.
  AtomicFile(std::filesystem::path target, mode_t mode);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) noexcept;
  // Without commit(): removes the temporary file.
  ~AtomicFile();

  // Open for reading and writing.
  const Fd& fd() const { return fd_; }

  // Syncs the file, gives it the target's name, replacing what has it, and syncs the directory.
  // Throws Error(kSystem); the target is then untouched unless only the last step failed.
  void commit();

 private:
  void discard() noexcept;

  std::filesystem::path target_;
  std::filesystem::path temporary_;  // empty: committed or moved from
  Fd fd_;
};

}  // namespace still
