#include "cut/staging.h"

#include <fcntl.h>
#include <sys/mount.h>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "os/files.h"
#include "os/mount.h"

namespace still::cut {
namespace {

void mount_memory(const std::filesystem::path& images, uint64_t bytes) {
  mount("still-images", images, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
        formatted("mode=0700,size={}", bytes));
}

}  // namespace

Staging::Staging(StagingPlace place, uint64_t memory_bytes)
    : place_(std::move(place)), directory_(place_.directory) {
  make_directory(place_.images(), 0700);
  make_directory(place_.work(), 0700);
  if (memory_bytes > 0) mount_memory(place_.images(), memory_bytes);
}

Staging::~Staging() {
  try {
    unmount_all(place_.images());
  } catch (const Error& error) {
    warn(error.message());
  }
}

tree::CapturePlace Staging::make_tree(const std::string& member) const {
  const auto path = place_.tree(member);
  const std::string name = path.filename();
  make_directories(path, 0700);
  make_directory(path.native() + ".spare", 0700);
  return {.parent = open_file(path.parent_path(), O_RDONLY | O_DIRECTORY),
          .name = name,
          .spare = name + ".spare"};
}

}  // namespace still::cut
