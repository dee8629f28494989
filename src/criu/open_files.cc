#include "criu/open_files.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "criu/image.h"
#include "criu/images.pb.h"

namespace still::criu {
namespace {

void for_each_file(const std::filesystem::path& images, const auto& visit) {
  const auto file = images / "files.img";
  const auto content = read_file_if_exists(file);
  if (!content) return;
  for (const std::string_view entry : image_entries(*content, kFilesImage)) {
    visit(parse_entry<messages::File>(entry, file));
  }
}

}  // namespace

std::set<std::string> open_file_names(const std::filesystem::path& images) {
  std::set<std::string> names;
  for_each_file(images, [&](const messages::File& open) {
    if (open.has_regular()) names.insert(open.regular().name());
  });
  return names;
}

bool has_tcp_connections(const std::filesystem::path& images) {
  bool has = false;
  for_each_file(images, [&](const messages::File& open) {
    const auto& socket = open.internet();
    has = has || (open.has_internet() && socket.type() == SOCK_STREAM &&
                  socket.protocol() == IPPROTO_TCP && socket.peer_port() != 0);
  });
  return has;
}

}  // namespace still::criu
