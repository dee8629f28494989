#include "cut/mapped_files.h"

#include <fcntl.h>

#include <optional>
#include <string>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "os/beneath.h"
#include "os/files.h"
#include "os/maps.h"

namespace still::cut {
namespace {

bool is_shared_and_writable(std::string_view permissions) {
  return permissions[1] == 'w' && permissions[3] == 's';
}

std::optional<ino_t> inode_below(const Fd& root, const std::string& path) try {
  if (!path.starts_with('/') || !is_plain_path(path.substr(1))) return std::nullopt;
  const auto [parent, name] = split_path(path.substr(1));
  const auto directory = open_directory_beneath(root, parent);
  const auto status = directory ? stat_at(*directory, name) : std::nullopt;
  return status ? std::optional(status->st_ino) : std::nullopt;
} catch (const Error& error) {
  if (error.kind() == ErrorKind::kCorrupt)
    return std::nullopt;  // a link: the path is not of the overlay
  throw;
}

}  // namespace

std::vector<SharedMapping> parse_shared_mappings(std::string_view maps) {
  std::vector<SharedMapping> mappings;
  for (const std::string& line : split(maps, '\n')) {
    const auto mapping = parse_maps_line(line);
    if (!mapping || !is_shared_and_writable(mapping->permissions) || mapping->inode == 0) continue;
    mappings.push_back({mapping->inode, mapping->name});
  }
  return mappings;
}

std::set<ino_t> mapped_inodes(const std::vector<pid_t>& processes,
                              const std::filesystem::path& upper) {
  std::optional<Fd> root;
  if (!upper.empty()) root = open_file(upper, O_RDONLY | O_DIRECTORY);
  std::set<ino_t> inodes;
  for (const pid_t pid : processes) {
    const auto maps = read_file_if_exists(formatted("/proc/{}/maps", pid));
    for (const SharedMapping& mapping : parse_shared_mappings(maps.value_or(""))) {
      inodes.insert(mapping.inode);
      const auto in_upper = root ? inode_below(*root, mapping.path) : std::nullopt;
      if (in_upper) inodes.insert(*in_upper);
    }
  }
  return inodes;
}

}  // namespace still::cut
