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
class RemovedPaths {
 public:
  RemovedPaths(const Fd& upper, const std::vector<Fd>& lower,
               const std::vector<std::string>& excluded)
      : excluded_(excluded), lower_(lower), hiding_{is_opaque(upper) ? kHides : kMerges} {
    if (hiding_.back() == kHides) add_hidden(upper, {});
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

  // What a directory of the upper layer, and every one below it, does to the lower layers.
  enum Hiding {
    kMerges,
    kHides,    // opaque
    kRemoved,  // listed itself: all that is below it goes with it
  };

  void enter(const WalkEntry& entry) {
    const Fd directory = open_at(entry.parent, entry.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    hiding_.push_back(hiding_of(directory, entry));
    lower_.enter(entry.name);
    if (hiding_.back() == kHides) add_hidden(directory, entry.path + "/");
  }

  // An opaque directory is one that was removed and made anew; restored as such it can be renamed
  // like the original, which a merged one cannot (EXDEV).
  Hiding hiding_of(const Fd& directory, const WalkEntry& entry) {
    if (hiding_.back() == kRemoved) return kRemoved;
    const Kind below = lower_.kind_of(entry.name);
    if (below == Kind::kOther) {
      add(entry.path);
      return hiding_.back();
    }
    if (hiding_.back() == kHides || !is_opaque(directory)) return hiding_.back();
    if (below == Kind::kAbsent || holds_excluded(entry.path)) return kHides;
    add(entry.path);
    return kRemoved;
  }

  bool holds_excluded(const std::string& path) const {
    return std::ranges::any_of(
        excluded_, [&](const std::string& excluded) { return lies_in(excluded, {path}); });
  }

  void look_at(const WalkEntry& entry) {
    if (hiding_.back() == kRemoved) return;
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
  std::vector<Hiding> hiding_;  // for each directory on the way down
  std::vector<std::string> paths_;
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

std::vector<std::string> removed_paths(const Fd& upper, const std::vector<Fd>& lower,
                                       const std::vector<std::string>& excluded) {
  RemovedPaths removed(upper, lower, excluded);
  walk_tree(upper, {}, [&](const WalkEntry& entry) { removed.visit(entry); });
  return std::move(removed).sorted();
}

void remove_paths(const Fd& root, const std::vector<std::string>& paths) {
  for_each_path(paths, [&](const std::string& path) { remove_path(root, path); });
}

void check_removable(const std::vector<std::string>& paths) { for_each_path(paths, check_plain); }

}  // namespace still::tree
