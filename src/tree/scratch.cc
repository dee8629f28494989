#include "tree/scratch.h"

#include <algorithm>

#include "os/beneath.h"

namespace still::tree {
namespace {

constexpr std::string_view kTemporary = "cr-tmpfs.";

}  // namespace

bool Scratch::is_temporary(std::string_view directory, std::string_view name) const {
  return name.starts_with(kTemporary) && directories_.contains(std::string(directory));
}

bool Scratch::is_temporary(std::string_view path) const {
  const auto [directory, name] = split_path(path);
  return is_temporary(directory, name);
}

void Scratch::leave_out(std::vector<ScannedDirectory>& scan) const {
  if (directories_.empty()) return;
  std::erase_if(scan, [&](const ScannedDirectory& one) { return is_temporary(one.path); });
  for (ScannedDirectory& directory : scan) {
    if (!directories_.contains(directory.path)) continue;
    std::erase_if(directory.entries, [&](const ScannedEntry& entry) {
      return is_temporary(directory.path, entry.name);
    });
  }
}

void Scratch::leave_out(std::set<std::string>& changed) const {
  for (const std::string& directory : directories_) {
    changed.erase(shown_path(directory));
  }
  std::erase_if(changed, [&](const std::string& path) { return is_temporary(path); });
}

}  // namespace still::tree
