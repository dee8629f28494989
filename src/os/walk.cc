#include "os/walk.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "os/files.h"

namespace still {
namespace {

// How many directories on the way down stay open.
constexpr size_t kOpenLevels = 64;

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

}  // namespace

std::vector<std::string> list_names(const Fd& directory, size_t most) {
  // fdopendir takes its descriptor over, and a duplicate would share the position.
  auto opened = open_at_if_exists(directory, ".", kOpenDirectory);
  if (!opened) return {};
  // ENOENT, here and below: removed meanwhile, or, in /proc, its process has ended.
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(opened->get()), ::closedir);
  if (!stream && errno == ENOENT) return {};
  if (!stream) throw Error::system(errno, "cannot list a directory");
  opened->release();
  std::vector<std::string> names;
  while (names.size() < most) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) {
      if (errno != 0 && errno != ENOENT) throw Error::system(errno, "cannot list a directory");
      break;
    }
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

namespace {

class Walk {
 public:
  Walk(const Fd& root, const WalkOptions& options,
       const std::function<void(const WalkEntry&)>& visit)
      : options_(options), visit_(visit), root_device_(stat_fd(root).st_dev) {
    levels_.push_back(open_level(root.duplicate(), {}, stat_fd(root), 0));
  }

  // Where the walk is: the path of the last entry reported.
  const std::string& path() const { return path_; }

  void run() {
    while (!levels_.empty()) {
      Level& level = levels_.back();
      if (level.next < level.names.size()) {
        step(level, level.names[level.next++]);
      } else {
        leave();
      }
    }
  }

 private:
  struct Level {
    std::optional<Fd> directory;  // closed while the walk is more than kOpenLevels below
    std::string name;             // in its parent
    struct stat status;
    size_t path_size;  // length of the parent's path
    std::vector<std::string> names;
    size_t next = 0;
  };

  Level open_level(Fd directory, std::string name, const struct stat& status, size_t path_size) {
    auto names = list_names(directory);
    if (options_.sorted) std::ranges::sort(names);
    return {std::move(directory), std::move(name), status, path_size, std::move(names)};
  }

  void step(Level& level, const std::string& name) {
    const auto status = stat_at(*level.directory, name);
    if (!status) return;
    const size_t parent_size = path_.size();
    if (parent_size > 0) path_ += '/';
    path_ += name;
    if (S_ISDIR(status->st_mode)) {
      enter(level, name, *status, parent_size);
    } else {
      visit_({WalkEntry::kOther, *level.directory, name, path_, *status});
      path_.resize(parent_size);
    }
  }

  // Opens before it reports: a directory that vanishes in between is then not reported at all,
  // instead of entered and never left.
  void enter(Level& parent, const std::string& name, const struct stat& status,
             size_t parent_size) {
    auto child = open_at_if_exists(*parent.directory, name, kOpenDirectory);
    if (!child) {
      path_.resize(parent_size);
      return;
    }
    visit_({WalkEntry::kDirectoryEnter, *parent.directory, name, path_, status});
    const bool descend = options_.cross_file_systems || status.st_dev == root_device_;
    levels_.push_back(open_level(std::move(*child), name, status, parent_size));
    if (!descend) levels_.back().names.clear();
    if (levels_.size() > kOpenLevels) levels_[levels_.size() - 1 - kOpenLevels].directory.reset();
  }

  void leave() {
    Level done = std::move(levels_.back());
    levels_.pop_back();
    if (levels_.empty()) return;
    Level& parent = levels_.back();
    if (!parent.directory) parent.directory = reopen_parent(*done.directory, parent.status);
    visit_({WalkEntry::kDirectoryLeave, *parent.directory, done.name, path_, done.status});
    path_.resize(done.path_size);
  }

  static Fd reopen_parent(const Fd& child, const struct stat& expected) {
    Fd parent = open_at(child, "..", kOpenDirectory);
    const struct stat found = stat_fd(parent);
    if (found.st_dev != expected.st_dev || found.st_ino != expected.st_ino) {
      throw Error(ErrorKind::kConflict, "a directory was moved while it was walked");
    }
    return parent;
  }

  const WalkOptions options_;
  const std::function<void(const WalkEntry&)>& visit_;
  const dev_t root_device_;
  std::string path_;
  std::deque<Level> levels_;  // a deque: references to a level survive push_back
};

}  // namespace

void walk_tree(const Fd& root, const WalkOptions& options,
               const std::function<void(const WalkEntry&)>& visit) {
  Walk walk(root, options, visit);
  try {
    walk.run();
  } catch (const Error& error) {
    throw error.in(printable(walk.path()));
  }
}

}  // namespace still
