#include "engine/container/volumes.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "engine/container/container_config.h"
#include "engine/container/names.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/share.h"
#include "store/lock.h"

namespace still::engine {
namespace {

constexpr size_t kLongestName = 255;  // it becomes a directory

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_name_character(char c) {
  return is_letter_or_digit(c) || std::string_view("._-").contains(c);
}

bool mounts(const store::ContainerRecord& container, const std::string& volume) {
  const auto config = parse_container_config(container.config_json);
  return std::ranges::contains(config.volumes, volume, &VolumeMount::volume);
}

std::string names_of(const std::vector<store::ContainerRecord>& containers) {
  std::vector<std::string> names;
  for (const auto& container : containers) names.push_back(container.name);
  return join(names, ", ");
}

// A subvolume where the file system has them: a checkpoint takes a snapshot of it then.
void make_data_directory(const store::Layout& layout, const std::string& name) {
  const auto data = layout.volume_data(name);
  make_directory(data.parent_path(), 0700);
  if (path_exists(data)) return;
  make_subvolume(open_file(data.parent_path(), O_RDONLY | O_DIRECTORY), data.filename());
  make_directory(data, 0755);
}

// No volume's name begins with a dot.
constexpr const char* kRemovedPrefix = ".removed-";

// A volume loses its name at once and its content then, so that one of the same name that is made
// after an interrupted removal does not find half of it.
void remove_data(const store::Layout& layout, const std::string& name) {
  const auto doomed = layout.volumes() / (kRemovedPrefix + make_id());
  if (::rename((layout.volumes() / name).c_str(), doomed.c_str()) != 0 && errno != ENOENT) {
    throw Error::system(errno, "cannot remove the volume " + name);
  }
  remove_tree(doomed);
}

void finish_interrupted_removals(const store::Layout& layout) {
  for (const auto& entry : std::filesystem::directory_iterator(layout.volumes())) {
    if (entry.path().filename().native().starts_with(kRemovedPrefix)) remove_tree(entry.path());
  }
}

// Not ours to remove: data that somebody put there, or of a store that was lost.
void check_no_data(const store::Layout& layout, const std::string& name) {
  const auto directory = layout.volumes() / name;
  if (!path_exists(directory) || std::filesystem::is_empty(directory)) return;
  throw Error(ErrorKind::kConflict,
              "there is data at " + directory.native() + ", but no volume of that name is known",
              "move it away, or choose another name");
}

}  // namespace

void check_name(const std::string& kind, const std::string& name) {
  if (!name.empty() && name.size() <= kLongestName && is_letter_or_digit(name[0]) &&
      std::ranges::all_of(name, is_name_character)) {
    return;
  }
  throw Error(ErrorKind::kUsage, formatted("\"{}\" is no {} name", printable(name), kind),
              "use letters, digits and ._- and begin with a letter or digit");
}

Fd Volumes::lock(const store::Layout& layout) { return store::lock_shared_part(layout, "volumes"); }

std::string Volumes::create(const std::string& name, bool anonymous,
                            std::vector<std::pair<std::string, std::string>> labels,
                            const std::string& operation) {
  const std::string chosen = name.empty() ? make_id() : name;
  check_name("volume", chosen);
  const Fd lock = Volumes::lock(host_.layout);
  if (!host_.store.volume(chosen)) check_no_data(host_.layout, chosen);
  host_.store.add_volume({.name = chosen,
                          .created_at = Instant::now().wall,
                          .anonymous = anonymous,
                          .labels = std::move(labels),
                          .made_by = operation});
  make_data_directory(host_.layout, chosen);
  return chosen;
}

void Volumes::ensure(const std::string& name) {
  if (host_.store.volume(name)) {
    const Fd lock = Volumes::lock(host_.layout);
    return make_data_directory(host_.layout, name);
  }
  try {
    create(name, false, {});
  } catch (const Error& error) {
    // Somebody else may have made it just now.
    if (error.kind() != ErrorKind::kConflict || !host_.store.volume(name)) throw;
  }
}

void Volumes::remove(const std::string& name, bool force) {
  const Fd lock = Volumes::lock(host_.layout);
  if (!host_.store.volume(name)) {
    throw Error(ErrorKind::kNotFound, "no such volume: " + printable(name));
  }
  const auto containers = users(name);
  if (!containers.empty() && !force) {
    throw Error(ErrorKind::kConflict,
                formatted("the volume {} is used by {}", name, names_of(containers)),
                "remove the container first");
  }
  finish_interrupted_removals(host_.layout);
  remove_data(host_.layout, name);
  host_.store.remove_volume(name);
}

std::vector<store::ContainerRecord> Volumes::users(const std::string& name) {
  auto containers = host_.store.containers();
  std::erase_if(containers, [&](const auto& container) { return !mounts(container, name); });
  return containers;
}

}  // namespace still::engine
