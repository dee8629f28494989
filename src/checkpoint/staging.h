// The private directory that holds a cut until the archive is durable: mode 0700, on the store's
// file system, removed with its owner.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "engine/layout.h"
#include "os/temp_dir.h"
#include "tree/capture.h"

namespace still::checkpoint {

class Staging {
 public:
  // Makes STAGING/ID-xxxxxx with its parts. memory_bytes: if not 0, CRIU's images go to a file
  // system in memory that may grow to that. Throws Error(kSystem).
  Staging(const engine::Layout& layout, const std::string& container_id, uint64_t memory_bytes);
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging();

  // For CRIU's images.
  std::filesystem::path images() const { return directory_.path() / "checkpoint"; }
  // For CRIU's log and statistics.
  std::filesystem::path work() const { return directory_.path() / "work"; }
  // For the copy of a tree. member: the archive member that it becomes.
  std::filesystem::path tree(const std::string& member) const;
  // The same as a place for a capture; made here.
  tree::CapturePlace place(const std::string& member) const;

 private:
  TempDir directory_;
};

}  // namespace still::checkpoint
