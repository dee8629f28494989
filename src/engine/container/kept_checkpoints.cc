#include "engine/container/kept_checkpoints.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "archive/reader.h"
#include "base/error.h"
#include "engine/container/paths.h"
#include "os/files.h"
#include "os/tree_size.h"

namespace still::engine {
namespace {

// A list shows a damaged archive, too.
std::optional<archive::Manifest> manifest_of(const std::filesystem::path& archive) try {
  return archive::read_manifest(archive);
} catch (const Error&) {
  return std::nullopt;
}

std::chrono::nanoseconds modified_at(const std::filesystem::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};
  return nanoseconds_of(status.st_mtim);
}

std::optional<KeptCheckpoint> kept_images(const ContainerPaths& paths,
                                          const store::ContainerRecord& container) {
  const auto images = paths.checkpoint();
  if (!path_exists(images)) return std::nullopt;
  KeptCheckpoint kept{.kind = CheckpointKind::kStopping,
                      .path = images,
                      .bytes = tree_size(images) + tree_size(paths.shm_content()),
                      .at = container.checkpointed_at,
                      .manifest = std::nullopt};
  if (!container.checkpointed) {
    kept.kind = CheckpointKind::kUsedUp;
    kept.at = modified_at(images);
  }
  return kept;
}

std::optional<KeptCheckpoint> kept_archive(const ContainerPaths& paths) {
  const auto archive = paths.live_checkpoint();
  if (!path_exists(archive)) return std::nullopt;
  KeptCheckpoint kept{.kind = CheckpointKind::kLive,
                      .path = archive,
                      .bytes = tree_size(archive),
                      .at = modified_at(archive),
                      .manifest = manifest_of(archive)};
  // One that could not be frozen has no other instant than that of the dump.
  if (kept.manifest) {
    const auto& [frozen, dumped] = std::pair(kept.manifest->frozen, kept.manifest->dump_start);
    kept.at = frozen.wall.count() > 0 ? frozen.wall : dumped.wall;
  }
  return kept;
}

}  // namespace

std::string to_string(CheckpointKind kind) {
  switch (kind) {
    case CheckpointKind::kStopping:
      return "stopping";
    case CheckpointKind::kLive:
      return "live";
    case CheckpointKind::kUsedUp:
      return "used-up";
  }
  return {};
}

std::vector<KeptCheckpoint> kept_checkpoints(const store::Layout& layout,
                                             const store::ContainerRecord& container) {
  const ContainerPaths paths(layout.container(container.id));
  std::vector<KeptCheckpoint> kept;
  if (auto images = kept_images(paths, container)) kept.push_back(*std::move(images));
  if (auto archive = kept_archive(paths)) kept.push_back(*std::move(archive));
  std::ranges::sort(kept, {}, &KeptCheckpoint::kind);
  return kept;
}

}  // namespace still::engine
