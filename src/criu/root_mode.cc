#include "criu/root_mode.h"

#include "criu/image.h"
#include "criu/images.pb.h"
#include "os/files.h"

namespace still::criu {

void forget_root_mode(const std::filesystem::path& images) {
  write_file_atomically(images / "files.img", without_root_mode(images), 0600);
}

std::string without_root_mode(const std::filesystem::path& images) {
  const auto path = images / "files.img";
  const std::string content = read_file(path);
  std::string forgetful = begin_image(kFilesImage);
  for (const std::string_view entry : image_entries(content, kFilesImage)) {
    auto file = parse_entry<messages::File>(entry, path);
    if (file.has_regular() && file.regular().name() == "/") file.mutable_regular()->clear_mode();
    append_entry(forgetful, file);
  }
  return forgetful;
}

}  // namespace still::criu
