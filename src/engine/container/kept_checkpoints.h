// The checkpoints that the store has of a container. What was exported is its owner's, and not
// among them.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "archive/manifest.h"
#include "store/layout.h"
#include "store/records.h"

namespace still::engine {

// In the order in which a restore takes them.
enum class CheckpointKind {
  kStopping,  // CRIU's images of a container that ended with them; its files are as they were then
  kLive,      // an archive that the container is set back to
  // Images that `restore --keep` has left: the container's files have moved on, and no restore
  // takes them.
  kUsedUp,
};

// "stopping", "live", "used-up".
std::string to_string(CheckpointKind kind);

struct KeptCheckpoint {
  CheckpointKind kind = CheckpointKind::kStopping;
  std::filesystem::path path;     // an archive, or the directory of CRIU's images
  uint64_t bytes = 0;             // on disk; for a stopping one without the container's files
  std::chrono::nanoseconds at{};  // wall time of its instant, since the epoch
  // Of a live one; absent if the archive is damaged, too.
  std::optional<archive::Manifest> manifest;
};

// The one that a restore takes comes first. Looks at the disk, takes no lock. Throws
// Error(kSystem).
std::vector<KeptCheckpoint> kept_checkpoints(const store::Layout& layout,
                                             const store::ContainerRecord& container);

}  // namespace still::engine
