#include "checkpoint/staging.h"

#include "os/files.h"

namespace still::checkpoint {

Staging::Staging(const engine::Layout& layout, const std::string& container_id)
    : directory_(layout.staging(), container_id.substr(0, 12) + "-") {
  make_directory(images(), 0700);
  make_directory(work(), 0700);
}

std::filesystem::path Staging::tree(const std::string& member) const {
  const auto path = directory_.path() / "trees" / member;
  make_directories(path, 0700);
  return path;
}

}  // namespace still::checkpoint
