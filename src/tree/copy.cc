#include "tree/copy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <string>

#include "base/error.h"
#include "os/beneath.h"
#include "os/files.h"
#include "os/metadata.h"
#include "os/walk.h"
#include "tree/entry.h"

namespace still::tree {
namespace {

class TreeCopy {
 public:
  explicit TreeCopy(const Fd& target)
      : root_(target), current_(open_at(target, ".", O_RDONLY | O_DIRECTORY)) {}

  void visit(const WalkEntry& entry) {
    switch (entry.kind) {
      case WalkEntry::kDirectoryEnter:
        return enter(entry);
      case WalkEntry::kDirectoryLeave:
        return leave(entry);
      case WalkEntry::kOther:
        return copy_entry(entry);
    }
  }

  const CopyTotals& totals() const { return totals_; }

 private:
  void enter(const WalkEntry& entry) {
    if (::mkdirat(current_.get(), entry.name.c_str(), 0700) != 0) {
      throw Error::system(errno, "cannot make a directory");
    }
    current_ = open_at(current_, entry.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    ++totals_.files;
  }

  // Metadata of directories come last: entries made in them change their times, and a default ACL
  // would go over to the entries.
  void leave(const WalkEntry& entry) {
    if (const auto source = open_entry(entry.parent, entry.name)) {
      Metadata metadata = read_metadata(*source);
      metadata.atime = entry.status.st_atim;  // from before we listed it
      apply_metadata(current_, metadata);
    }
    current_ = open_at(current_, "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  }

  void copy_entry(const WalkEntry& entry) {
    if (entry.status.st_nlink > 1 && link_to_copy(entry)) return;
    const bool copied = S_ISREG(entry.status.st_mode) ? copy_file(entry) : copy_special(entry);
    if (!copied) return;
    ++totals_.files;
    if (entry.status.st_nlink > 1) first_names_.emplace(inode_of(entry.status), entry.path);
  }

  // Whether the inode was copied under another name before, which gets this one too.
  bool link_to_copy(const WalkEntry& entry) {
    const auto first = first_names_.find(inode_of(entry.status));
    if (first == first_names_.end()) return false;
    const auto [parent, name] = split_path(first->second);
    const auto directory = open_directory_beneath(root_, parent);
    if (!directory ||
        ::linkat(directory->get(), name.c_str(), current_.get(), entry.name.c_str(), 0) != 0) {
      throw Error::system(directory ? errno : ENOENT, "cannot make a hard link");
    }
    ++totals_.files;
    return true;
  }

  bool copy_file(const WalkEntry& entry) {
    const auto source = open_content(entry.parent, entry.name);
    if (!source) return false;
    const Metadata metadata = read_metadata(*source);
    const Fd target = open_at(current_, entry.name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    const uint64_t size = static_cast<uint64_t>(stat_fd(*source).st_size);
    totals_.bytes += copy_content(*source, target, size);
    apply_metadata(target, metadata);
    return true;
  }

  bool copy_special(const WalkEntry& entry) {
    const auto source = open_entry(entry.parent, entry.name);
    if (!source) return false;
    make_special(current_, entry.name, *source);
    apply_metadata(open_at(current_, entry.name, O_PATH | O_NOFOLLOW), read_metadata(*source));
    return true;
  }

  const Fd& root_;
  Fd current_;  // the copy of the directory that the walk is in
  std::map<Inode, std::string> first_names_;
  CopyTotals totals_;
};

}  // namespace

CopyTotals copy_tree(const Fd& source, const Fd& target) {
  const Metadata metadata = read_metadata(source);
  TreeCopy copy(target);
  walk_tree(source, {}, [&](const WalkEntry& entry) { copy.visit(entry); });
  apply_metadata(target, metadata);
  return copy.totals();
}

}  // namespace still::tree
