#include "checkpoint/mapped_files.h"

#include <fcntl.h>

#include <format>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/text.h"
#include "os/beneath.h"
#include "os/files.h"

namespace still::checkpoint {
namespace {

// "address permissions offset device inode   path".
constexpr size_t kPermissions = 1;
constexpr size_t kInode = 4;
constexpr size_t kFields = 5;

bool is_shared_and_writable(std::string_view permissions) {
  return permissions.size() == 4 && permissions[1] == 'w' && permissions[3] == 's';
}

// The kernel writes a newline in a path as \012 and nothing else.
std::string decode(std::string_view path) {
  std::string result;
  for (size_t at = 0; at < path.size(); ++at) {
    if (path.substr(at).starts_with("\\012")) {
      result += '\n';
      at += 3;
    } else {
      result += path[at];
    }
  }
  return result;
}

// The first five fields and the rest of a line.
std::vector<std::string> take_apart(std::string_view line) {
  std::vector<std::string> fields;
  for (size_t i = 0; i < kFields; ++i) {
    const size_t end = std::min(line.find(' '), line.size());
    fields.emplace_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  fields.emplace_back(line.substr(std::min(line.find_first_not_of(' '), line.size())));
  return fields;
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
    const auto fields = take_apart(line);
    const auto inode = parse_integer(fields[kInode]);
    if (!is_shared_and_writable(fields[kPermissions]) || !inode || *inode == 0) continue;
    mappings.push_back({static_cast<ino_t>(*inode), decode(fields[kFields])});
  }
  return mappings;
}

std::set<ino_t> mapped_inodes(const std::vector<pid_t>& processes,
                              const std::filesystem::path& upper) {
  const Fd root = open_file(upper, O_RDONLY | O_DIRECTORY);
  std::set<ino_t> inodes;
  for (const pid_t pid : processes) {
    const auto maps = read_file_if_exists(std::format("/proc/{}/maps", pid));
    for (const SharedMapping& mapping : parse_shared_mappings(maps.value_or(""))) {
      inodes.insert(mapping.inode);
      if (const auto in_upper = inode_below(root, mapping.path)) inodes.insert(*in_upper);
    }
  }
  return inodes;
}

}  // namespace still::checkpoint
