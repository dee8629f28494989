#include "checkpoint/staging.h"

#include <fcntl.h>
#include <sys/mount.h>

#include <format>

#include "base/error.h"
#include "base/log.h"
#include "os/files.h"
#include "os/mount.h"

namespace still::checkpoint {
namespace {

void mount_memory(const std::filesystem::path& images, uint64_t bytes) {
  mount("still-images", images, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
        std::format("mode=0700,size={}", bytes));
}

}  // namespace

Staging::Staging(const engine::Layout& layout, const std::string& container_id,
                 uint64_t memory_bytes)
    : directory_(layout.staging(), container_id.substr(0, 12) + "-") {
  make_directory(images(), 0700);
  make_directory(work(), 0700);
  if (memory_bytes > 0) mount_memory(images(), memory_bytes);
}

Staging::~Staging() {
  try {
    unmount_all(images());
  } catch (const Error& error) {
    warn(error.message());
  }
}

std::filesystem::path Staging::tree(const std::string& member) const {
  return directory_.path() / "trees" / member;
}

tree::CapturePlace Staging::place(const std::string& member) const {
  const auto path = tree(member);
  const std::string name = path.filename();
  make_directories(path, 0700);
  make_directory(path.native() + ".spare", 0700);
  return {.parent = open_file(path.parent_path(), O_RDONLY | O_DIRECTORY),
          .name = name,
          .spare = name + ".spare"};
}

}  // namespace still::checkpoint
