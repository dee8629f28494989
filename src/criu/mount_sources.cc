#include "criu/mount_sources.h"

#include <optional>

#include "criu/image.h"
#include "criu/images.pb.h"

namespace still::criu {
namespace {

bool forget_host(messages::Mount& mount) {
  if (!mount.has_key()) return false;
  const bool is_of_host = !mount.internal_sharing();
  const bool is_shared = is_of_host && (mount.shared_id() != 0 || mount.master_id() != 0);
  const bool is_different = mount.deleted() || is_shared;
  mount.clear_deleted();
  if (is_of_host) {
    mount.clear_shared_id();
    mount.clear_master_id();
  }
  return is_different;
}

// nullopt: the file says nothing of it.
std::optional<std::string> forgetful(const std::filesystem::path& file) {
  const std::string content = read_file(file);
  std::string result = begin_image(kMountsImage);
  bool is_different = false;
  for (const std::string_view entry : image_entries(content, kMountsImage)) {
    auto mount = parse_entry<messages::Mount>(entry, file);
    if (forget_host(mount)) is_different = true;
    append_entry(result, mount);
  }
  return is_different ? std::optional(result) : std::nullopt;
}

}  // namespace

std::map<std::string, std::string> without_host_mounts(const std::filesystem::path& images) {
  std::map<std::string, std::string> files;
  for (const auto& file : std::filesystem::directory_iterator(images)) {
    const std::string name = file.path().filename();
    if (!name.starts_with("mountpoints-")) continue;
    if (auto content = forgetful(file.path())) files.emplace(name, std::move(*content));
  }
  return files;
}

void forget_host_mounts(const std::filesystem::path& images) {
  for (const auto& [name, content] : without_host_mounts(images)) {
    write_file_atomically(images / name, content, 0600);
  }
}

}  // namespace still::criu
