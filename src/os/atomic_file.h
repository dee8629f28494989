// A file that appears under its name only when it is complete and durable.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "os/fd.h"

namespace still {

class AtomicFile {
 public:
  // Makes a private temporary file with exactly this mode in the target's directory, which must
  // exist; key, unique there, becomes part of its name (temporary_path()), empty: a random one.
  // Throws Error(kSystem) naming the target.
  AtomicFile(std::filesystem::path target, mode_t mode, const std::string& key = {});
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) noexcept;
  // Without commit(): removes the temporary file.
  ~AtomicFile();

  // Open for reading and writing.
  const Fd& fd() const { return fd_; }

  // Syncs the file, gives it the target's name, replacing what has it, and syncs the directory.
  // Throws Error(kSystem); the target is then untouched unless only the last step failed.
  void commit();

  // Where the temporary file for a target is, for whoever must find what a crash has left.
  static std::filesystem::path temporary_path(const std::filesystem::path& target,
                                              const std::string& key);

 private:
  void discard() noexcept;

  std::filesystem::path target_;
  std::filesystem::path temporary_;  // empty: committed or moved from
  Fd fd_;
};

}  // namespace still
