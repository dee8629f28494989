#include "tree/overlay.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <functional>

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
class RemovalFinder {
 public:
  RemovalFinder(const Fd& upper, const std::vector<Fd>& lower,
                const std::vector<std::string>& excluded)
      : excluded_(excluded), lower_(lower), hides_{is_opaque(upper)} {
    if (hides_.back()) add_hidden(upper, {});
  }

  void visit(const WalkEntry& entry) {
    switch (entry.kind) {
      case WalkEntry::kDirectoryEnter:
        return enter(entry);
      case WalkEntry::kDirectoryLeave:
        hides_.pop_back();
        return lower_.leave();
      case WalkEntry::kOther:
        return look_at(entry);
    }
  }

  Removals sorted() && {
    std::ranges::sort(paths_.gone);
    std::ranges::sort(paths_.replaced);
    return std::move(paths_);
  }

 private:
  using Kind = LowerView::Kind;

  void enter(const WalkEntry& entry) {
    const Fd directory = open_at(entry.parent, entry.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    hides_.push_back(hides(directory, entry));
    lower_.enter(entry.name);
    if (hides_.back()) add_hidden(directory, entry.path + "/");
  }

  // An opaque directory is one that was removed and made anew; restored as such it can be renamed
  // like the original, which a merged one cannot (EXDEV).
  bool hides(const Fd& directory, const WalkEntry& entry) {
    const Kind below = lower_.kind_of(entry.name);
    if (below == Kind::kOther) add(paths_.replaced, entry.path);
    if (hides_.back() || !is_opaque(directory)) return hides_.back();
    if (below == Kind::kDirectory && !holds_excluded(entry.path)) {
      add(paths_.replaced, entry.path);
    }
    return true;
  }

  bool holds_excluded(const std::string& path) const {
    return std::ranges::any_of(
        excluded_, [&](const std::string& excluded) { return lies_in(excluded, {path}); });
  }

  void look_at(const WalkEntry& entry) {
    const Kind below = lower_.kind_of(entry.name);
    if (is_whiteout(entry.status)) {
      if (below != Kind::kAbsent) add(paths_.gone, entry.path);
    } else if (below == Kind::kDirectory) {
      add(paths_.replaced, entry.path);
    }
  }

  // Names of the upper layer itself are looked at when the walk comes to them.
  void add_hidden(const Fd& upper_directory, const std::string& prefix) {
    for (const std::string& name : lower_.names()) {
      if (!stat_at(upper_directory, name)) add(paths_.gone, prefix + name);
    }
  }

  void add(std::vector<std::string>& paths, const std::string& path) {
    if (!lies_in(path, excluded_)) paths.push_back(path);
  }

  const std::vector<std::string>& excluded_;
  LowerView lower_;
  // For each directory on the way down: whether it, or one above it, is opaque.
  std::vector<bool> hides_;
  Removals paths_;
};

void check_plain(const std::string& path) {
  if (is_plain_path(path)) return;
  throw Error(ErrorKind::kCorrupt, "it is not a relative path without \".\" and \"..\"");
}

// Names the path in errors.
void for_each_path(const std::vector<std::string>& paths,
                   const std::function<void(const std::string&)>& action) {
  for (const std::string& path : paths) {
    try {
      action(path);
    } catch (const Error& error) {
      throw error.in("cannot remove \"" + printable(path) + "\"");
    }
  }
}

void remove_path(const Fd& root, const std::string& path) {
  check_plain(path);
  const auto [parent, name] = split_path(path);
  if (const auto directory = open_directory_beneath(root, parent)) {
    remove_tree_at(*directory, name);
  }
}

}  // namespace

Removals removed_paths(const Fd& upper, const std::vector<Fd>& lower,
                       const std::vector<std::string>& excluded) {
  RemovalFinder removed(upper, lower, excluded);
  walk_tree(upper, {}, [&](const WalkEntry& entry) { removed.visit(entry); });
  return std::move(removed).sorted();
}

void remove_paths(const Fd& root, const std::vector<std::string>& paths) {
  for_each_path(paths, [&](const std::string& path) { remove_path(root, path); });
}

void check_removable(const std::vector<std::string>& paths) { for_each_path(paths, check_plain); }

}  // namespace still::tree
