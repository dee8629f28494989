#include "criu/open_files.h"

#include "criu/image.h"
#include "criu/images.pb.h"

namespace still::criu {

std::set<std::string> open_file_names(const std::filesystem::path& images) {
  const auto file = images / "files.img";
  const std::string content = read_file(file);
  std::set<std::string> names;
  for (const std::string_view entry : image_entries(content, kFilesImage)) {
    const auto open = parse_entry<messages::File>(entry, file);
    if (open.has_regular()) names.insert(open.regular().name());
  }
  return names;
}

}  // namespace still::criu
