// The private directory that holds a cut until the archive is durable: mode 0700, on the store's
// file system, removed with its owner.
#pragma once

#include <filesystem>
#include <string>

#include "engine/layout.h"
#include "os/temp_dir.h"

namespace still::checkpoint {

class Staging {
 public:
  // Makes STAGING/ID-xxxxxx with its parts. Throws Error(kSystem).
  Staging(const engine::Layout& layout, const std::string& container_id);

  // For CRIU's images.
  std::filesystem::path images() const { return directory_.path() / "checkpoint"; }
  // For CRIU's log and statistics.
  std::filesystem::path work() const { return directory_.path() / "work"; }
  // For the copy of a tree; made on first use. member: the archive member that it becomes.
  std::filesystem::path tree(const std::string& member) const;

 private:
  TempDir directory_;
};

}  // namespace still::checkpoint
