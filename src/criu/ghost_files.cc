#include "criu/ghost_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <string>

#include "criu/image.h"
#include "criu/images.pb.h"
#include "os/content.h"
#include "os/files.h"

namespace still::criu {
namespace {

// The message in front is shorter: its longest part is the target of a link.
constexpr size_t kFront = size_t{16} << 10;

GhostFile read_ghost_file(const std::filesystem::path& image) {
  const Fd file = open_file(image, O_RDONLY);
  std::string front(kFront, '\0');
  front.resize(read_at(file, front.data(), front.size(), 0));
  const std::string_view entry = first_image_entry(front, kGhostFileImage);
  const auto ghost = parse_entry<messages::GhostFile>(entry, image);
  const auto end = entry.data() + entry.size() - front.data();
  return {.image = image, .inode = ghost.inode(), .is_empty = stat_fd(file).st_size == end};
}

}  // namespace

std::vector<GhostFile> ghost_files_of(const std::filesystem::path& images) {
  std::vector<GhostFile> files;
  for (const auto& entry : std::filesystem::directory_iterator(images)) {
    if (entry.path().filename().native().starts_with("ghost-file-")) {
      files.push_back(read_ghost_file(entry.path()));
    }
  }
  return files;
}

void fill_ghost_file(const std::filesystem::path& image, const Fd& content) {
  const Fd file = open_file(image, O_WRONLY);
  auto end = static_cast<uint64_t>(stat_fd(file).st_size);
  for (const Extent& extent :
       data_extents(content, static_cast<uint64_t>(stat_fd(content).st_size))) {
    messages::GhostChunk chunk;
    chunk.set_length(extent.length);
    chunk.set_offset(extent.offset);
    std::string entry;
    append_entry(entry, chunk);
    write_at(file, entry, end);
    end += entry.size();
    end += copy_range(content, extent.offset, file, end, extent.length);
  }
}

}  // namespace still::criu
