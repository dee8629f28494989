#include "tree/overlay.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "os/beneath.h"
#include "os/files.h"
#include "os/metadata.h"
#include "os/walk.h"
#include "tree/lower_view.h"

namespace still::tree {
namespace {

// Walks the upper layer and moves through the view of the lower ones at its side.
class RemovedPaths {
 public:
  RemovedPaths(const Fd& upper, const std::vector<Fd>& lower,
               const std::vector<std::string>& excluded)
      : excluded_(excluded), lower_(lower), hiding_{is_opaque(upper)} {
    if (hiding_.back()) add_hidden(upper, {});
  }

  void visit(const WalkEntry& entry) {
    switch (entry.kind) {
      case WalkEntry::kDirectoryEnter:
        return enter(entry);
      case WalkEntry::kDirectoryLeave:
        hiding_.pop_back();
        return lower_.leave();
      case WalkEntry::kOther:
        return look_at(entry);
    }
  }

  std::vector<std::string> sorted() && {
    std::ranges::sort(paths_);
    return std::move(paths_);
  }

 private:
  using Kind = LowerView::Kind;

  void enter(const WalkEntry& entry) {
    if (lower_.kind_of(entry.name) == Kind::kOther) add(entry.path);
    const Fd directory = open_at(entry.parent, entry.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    // Below an opaque directory nothing of the lower layers shows.
    hiding_.push_back(hiding_.back() || is_opaque(directory));
    lower_.enter(entry.name);
    if (hiding_.back()) add_hidden(directory, entry.path + "/");
  }

  void look_at(const WalkEntry& entry) {
    const Kind below = lower_.kind_of(entry.name);
    const bool removed =
        is_whiteout(entry.status) ? below != Kind::kAbsent : below == Kind::kDirectory;
    if (removed) add(entry.path);
  }

  // Names of the upper layer itself are looked at when the walk comes to them.
  void add_hidden(const Fd& upper_directory, const std::string& prefix) {
    for (const std::string& name : lower_.names()) {
      if (!stat_at(upper_directory, name)) add(prefix + name);
    }
  }

  void add(const std::string& path) {
    if (!lies_in(path, excluded_)) paths_.push_back(path);
  }

  const std::vector<std::string>& excluded_;
  LowerView lower_;
  std::vector<bool> hiding_;  // for each directory on the way down
  std::vector<std::string> paths_;
};

void remove_path(const Fd& root, const std::string& path) {
  if (!is_plain_path(path)) {
    throw Error(ErrorKind::kCorrupt, "it is not a relative path without \".\" and \"..\"");
  }
  const auto [parent, name] = split_path(path);
  if (const auto directory = open_directory_beneath(root, parent)) {
    remove_tree_at(*directory, name);
  }
}

}  // namespace

std::vector<std::string> removed_paths(const Fd& upper, const std::vector<Fd>& lower,
                                       const std::vector<std::string>& excluded) {
  RemovedPaths removed(upper, lower, excluded);
  walk_tree(upper, {}, [&](const WalkEntry& entry) { removed.visit(entry); });
  return std::move(removed).sorted();
}

void remove_paths(const Fd& root, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    try {
      remove_path(root, path);
    } catch (const Error& error) {
      throw error.in("cannot remove \"" + printable(path) + "\"");
    }
  }
}

}  // namespace still::tree
