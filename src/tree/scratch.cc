#include "tree/scratch.h"

#include <algorithm>

#include "os/beneath.h"
#include "os/metadata.h"
#include "tree/proof.h"

namespace still::tree {
namespace {

constexpr std::string_view kTemporary = "cr-tmpfs.";
constexpr size_t kRandomCharacters = 6;  // of mkdtemp(3)
constexpr mode_t kPermissions = 0777;    // the set-group-ID bit may come from the directory above

// Made by root with mkdtemp(3) while the tree stands still.
bool is_made_since(const struct stat& status, std::chrono::nanoseconds frozen_at) {
  return S_ISDIR(status.st_mode) && (status.st_mode & kPermissions) == 0700 && status.st_uid == 0 &&
         changed_at(status) > frozen_at;
}

bool exists(const Fd& tree, const std::string& directory, const std::string& name) {
  const auto parent = open_directory_beneath(tree, directory);
  return parent && open_entry(*parent, name);
}

}  // namespace

bool Scratch::may_be_temporary(std::string_view directory, std::string_view name) const {
  return name.starts_with(kTemporary) && name.size() == kTemporary.size() + kRandomCharacters &&
         directories_.contains(std::string(directory));
}

void Scratch::leave_out(std::vector<ScannedDirectory>& scan,
                        std::chrono::nanoseconds frozen_at) const {
  if (directories_.empty()) return;
  std::erase_if(scan, [&](const ScannedDirectory& one) {
    const auto [directory, name] = split_path(one.path);
    return may_be_temporary(directory, name) && is_made_since(one.status, frozen_at);
  });
  for (ScannedDirectory& directory : scan) {
    if (!directories_.contains(directory.path)) continue;
    std::erase_if(directory.entries, [&](const ScannedEntry& entry) {
      return may_be_temporary(directory.path, entry.name) && is_made_since(entry.status, frozen_at);
    });
  }
}

void Scratch::leave_out(std::set<std::string>& changed, const Fd& tree) const {
  for (const std::string& directory : directories_) {
    changed.erase(shown_path(directory));
  }
  std::erase_if(changed, [&](const std::string& path) {
    const auto [directory, name] = split_path(path);
    return may_be_temporary(directory, name) && !exists(tree, directory, name);
  });
}

}  // namespace still::tree
