// The private directory that holds a cut until the archive is durable: mode 0700, on the store's
// file system, removed with its owner.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "os/temp_dir.h"
#include "tree/capture.h"

namespace still::cut {

// Where its parts are.
struct StagingPlace {
  std::filesystem::path directory;

  // For CRIU's images.
  std::filesystem::path images() const { return directory / "checkpoint"; }
  // For the images that those are a difference to, while they lack the memory.
  std::filesystem::path parent() const { return directory / "parent"; }
  // For CRIU's log and statistics.
  std::filesystem::path work() const { return directory / "work"; }
  // For the socket at which CRIU waits.
  std::filesystem::path gate() const { return directory / "gate"; }
  // For copies of files without a name.
  std::filesystem::path deleted() const { return directory / "deleted"; }
  // For the copy of a tree. member: the archive member that it becomes.
  std::filesystem::path tree(const std::string& member) const {
    return directory / "trees" / member;
  }
};

class Staging {
 public:
  // Makes the directory with its parts. memory_bytes: if not 0, CRIU's images go to a file system
  // in memory that may grow to that. Throws Error(kSystem).
  Staging(StagingPlace place, uint64_t memory_bytes);
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging();

  const StagingPlace& place() const { return place_; }
  // A place for the capture of a tree; made here.
  tree::CapturePlace make_tree(const std::string& member) const;

 private:
  const StagingPlace place_;
  TempDir directory_;
};

}  // namespace still::cut
