#include "criu/mount_sources.h"

#include "criu/image.h"
#include "criu/images.pb.h"

namespace still::criu {
namespace {

void forget_in(const std::filesystem::path& file) {
  const std::string content = read_file(file);
  std::string forgetful = begin_image(kMountsImage);
  bool is_different = false;
  for (const std::string_view entry : image_entries(content, kMountsImage)) {
    auto mount = parse_entry<messages::Mount>(entry, file);
    if (mount.has_key() && mount.deleted()) {
      mount.clear_deleted();
      is_different = true;
    }
    append_entry(forgetful, mount);
  }
  if (is_different) write_file_atomically(file, forgetful, 0600);
}

}  // namespace

void forget_replaced_sources(const std::filesystem::path& images) {
  for (const auto& file : std::filesystem::directory_iterator(images)) {
    if (file.path().filename().native().starts_with("mountpoints-")) forget_in(file.path());
  }
}

}  // namespace still::criu
