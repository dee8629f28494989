#include "engine/image/implied_directories.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <set>
#include <string_view>

#include "base/error.h"
#include "engine/image/tar_source.h"
#include "os/beneath.h"
#include "os/files.h"

namespace still::engine {
namespace {

struct Names {
  std::set<std::string> members;
  std::set<std::string> parents;  // of all members, in an order in which they can be made
};

// "./a/b/" is "a/b". Empty for what is no name in the tree: the unpacking will refuse it.
std::string tree_path(std::string_view name) {
  while (name.starts_with("./")) name.remove_prefix(2);
  while (name.ends_with('/')) name.remove_suffix(1);
  return is_plain_path(name) ? std::string(name) : std::string();
}

Names read_names(const Fd& tar_file) {
  Names names;
  visit_tar_names(tar_file, [&](const std::string& name) {
    std::string path = tree_path(name);
    if (path.empty()) return;
    names.members.insert(path);
    for (path = split_path(path).parent; !path.empty(); path = split_path(path).parent) {
      if (!names.parents.insert(path).second) break;
    }
  });
  return names;
}

void make_directory_beneath(const Fd& root, const std::string& path) {
  const auto [parent, name] = split_path(path);
  const auto directory = open_directory_beneath(root, parent);
  if (!directory || ::mkdirat(directory->get(), name.c_str(), 0755) != 0) {
    throw Error::system(errno, "cannot make the directory " + name + " of a layer");
  }
}

std::optional<Metadata> find_below(const std::vector<Fd>& below, const std::string& path) {
  for (const Fd& layer : below) {
    const auto directory = open_directory_beneath(layer, path);
    if (!directory) continue;
    Metadata metadata = read_metadata(*directory);
    std::erase_if(metadata.xattrs,
                  [](const auto& entry) { return entry.first.starts_with(kOverlayXattrPrefix); });
    return metadata;
  }
  return std::nullopt;
}

}  // namespace

ImpliedDirectories::ImpliedDirectories(const Fd& tar_file, const Fd& root,
                                       const std::vector<std::filesystem::path>& below)
    : root_(root) {
  std::vector<Fd> layers;
  for (const auto& layer : below) layers.push_back(open_file(layer, O_RDONLY | O_DIRECTORY));
  const Names names = read_names(tar_file);
  // Sorted: a directory comes before what is in it.
  for (const std::string& path : names.parents) {
    make_directory_beneath(root, path);
    if (names.members.contains(path)) continue;
    if (auto metadata = find_below(layers, path)) found_below_.emplace(path, std::move(*metadata));
  }
}

void ImpliedDirectories::finish() const {
  for (const auto& [path, metadata] : found_below_) {
    if (const auto directory = open_directory_beneath(root_, path)) {
      apply_metadata(*directory, metadata);
    }
  }
}

}  // namespace still::engine
