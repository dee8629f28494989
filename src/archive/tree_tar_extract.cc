#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "archive/room.h"
#include "archive/tar_stream.h"
#include "archive/tree_checks.h"
#include "archive/tree_tar.h"
#include "base/error.h"
#include "base/text.h"
#include "os/beneath.h"
#include "os/files.h"
#include "os/inode_flags.h"
#include "os/metadata.h"

namespace still::archive {
namespace {

[[noreturn]] void refuse(const std::string& reason) { throw Error(ErrorKind::kCorrupt, reason); }

uint64_t data_size(const TarMember& member) {
  if (!member.data) return member.size_bytes;
  uint64_t size = 0;
  for (const Extent& extent : *member.data) size += extent.length;
  return size;
}

bool is_within(std::string_view path, std::string_view directory) {
  if (directory.empty()) return true;
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

void set_modified(const Fd& entry, const timespec& modified) {
  const timespec times[] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, modified};
  if (::utimensat(entry.get(), "", times, AT_EMPTY_PATH) != 0) {
    throw Error::system(errno, "cannot set the times");
  }
}

// The directories from the root to the one that is being filled. An archive decides how many
// directories there are, so only these are remembered. What filling a directory changes, or what
// forbids it, its time and its flags, is as the archive says when it is left; if the archive comes
// back to it, it is taken from there and set once more.
class Way {
 public:
  Way(const Fd& root, const TreeChecks& checks) : root_(root), checks_(checks), levels_(1) {}

  // A directory, to be filled; valid until the next call.
  const Fd& go_to(const std::string& path) {
    while (!is_within(path, path_)) leave();
    while (path_.size() < path.size()) enter(path);
    return current();
  }

  void set_root_modified(const timespec& modified) { levels_[0].modified = modified; }

  void finish() {
    while (levels_.size() > 1) leave();
    settle(levels_[0]);
  }

 private:
  struct Level {
    size_t path_size = 0;              // of the directory above
    std::optional<timespec> modified;  // if the archive has the directory as a member
    uint32_t flags = 0;
  };

  const Fd& current() {
    if (!directory_) directory_ = open_directory_beneath(root_, path_);
    if (!directory_) refuse("its directory does not exist");
    return *directory_;
  }

  // The next directory on the way to this path.
  void enter(const std::string& path) {
    const size_t begin = path_.empty() ? 0 : path_.size() + 1;
    const size_t end = std::min(path.find('/', begin), path.size());
    auto next = open_directory_beneath(current(), path.substr(begin, end - begin));
    if (!next) refuse("its directory does not exist");
    levels_.push_back({.path_size = path_.size(), .modified = std::nullopt});
    path_ = path.substr(0, end);
    directory_ = std::move(next);
    if (checks_.is_member(path_)) loosen(levels_.back());
  }

  void loosen(Level& level) {
    level.modified = stat_fd(current()).st_mtim;
    level.flags = read_inode_flags(current());
    if (level.flags != 0) write_inode_flags(open_for_flags(current()), 0);
  }

  void leave() {
    settle(levels_.back());
    path_.resize(levels_.back().path_size);
    levels_.pop_back();
    directory_.reset();
  }

  void settle(const Level& level) try {
    if (level.modified) set_modified(current(), *level.modified);
    if (level.flags != 0) write_inode_flags(open_for_flags(current()), level.flags);
  } catch (const Error& error) {
    throw error.in("the directory \"" + printable_name(path_) + "\"");
  }

  static Fd open_for_flags(const Fd& directory) {
    return open_at(directory, ".", O_RDONLY | O_DIRECTORY);
  }

  const Fd& root_;
  const TreeChecks& checks_;
  std::string path_;
  std::optional<Fd> directory_;  // at path_, if it is open
  std::vector<Level> levels_;    // the root first
};

class TreeExtractor {
 public:
  TreeExtractor(const Fd& root, const ExtractOptions& options)
      : root_(root), checks_(options), way_(root, checks_) {}

  void extract(TarReader& tar, const TarMember& member) {
    const TreeChecks::Place place = checks_.admit(member);
    if (place.path.empty()) return take_root(member.metadata);
    const auto [parent, name] = split_path(place.path);
    const Fd& directory = way_.go_to(parent);
    if (place.is_directory) return make_directory_member(directory, name, place, member.metadata);
    make_entry(tar, member, place, directory, name);
  }

  // Returns the paths of those whose flags could not be set.
  SomePaths finish() {
    way_.finish();
    if (root_flags_ != 0) give_flags(open_at(root_, ".", O_RDONLY), root_flags_, {});
    return std::move(without_flags_);
  }

 private:
  // It is the first member, and filled until the end.
  void take_root(const Metadata& metadata) {
    apply_metadata(root_, metadata);
    way_.set_root_modified(metadata.mtime);
    root_flags_ = metadata.inode_flags;
  }

  void make_directory_member(const Fd& parent, const std::string& name,
                             const TreeChecks::Place& place, const Metadata& metadata) {
    const auto present = stat_at(parent, name);
    if (present && !S_ISDIR(present->st_mode)) clear_way(parent, name);
    if (::mkdirat(parent.get(), name.c_str(), 0700) != 0 && errno != EEXIST) {
      throw Error::system(errno, "cannot make the directory");
    }
    const Fd directory = open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    // A default ACL goes over to what is made in it, and is taken off there.
    apply_metadata(directory, metadata);
    give_flags(directory, metadata.inode_flags, place.path);
  }

  void give_flags(const Fd& opened, uint32_t flags, const std::string& path) {
    if (flags == 0 || write_inode_flags(opened, flags)) return;
    without_flags_.add(path.empty() ? "." : path);
  }

  // Removes what has the name: a file, or an empty directory.
  static void clear_way(const Fd& directory, const std::string& name) {
    const auto present = stat_at(directory, name);
    if (!present) return;
    const int flags = S_ISDIR(present->st_mode) ? AT_REMOVEDIR : 0;
    if (::unlinkat(directory.get(), name.c_str(), flags) != 0) {
      const int error_number = errno;
      if (error_number == ENOTEMPTY) refuse("a directory that is not empty is in its place");
      throw Error::system(error_number, "cannot replace what has its name");
    }
  }

  void make_entry(TarReader& tar, const TarMember& member, const TreeChecks::Place& place,
                  const Fd& directory, const std::string& name) {
    clear_way(directory, name);
    if (!member.hard_link.empty()) return make_hard_link(place.hard_link, directory, name);
    switch (member.metadata.mode & S_IFMT) {
      case S_IFREG:
        return make_file(tar, member, place, directory, name);
      case S_IFLNK:
        check(::symlinkat(member.link_target.c_str(), directory.get(), name.c_str()));
        break;
      case S_IFIFO:
        check(::mkfifoat(directory.get(), name.c_str(), 0600));
        break;
      case S_IFCHR:
      case S_IFBLK:
        check(::mknodat(directory.get(), name.c_str(), (member.metadata.mode & S_IFMT) | 0600,
                        member.device));
        break;
      default:
        refuse("it is of an unknown kind");
    }
    apply_metadata(open_at(directory, name, O_PATH | O_NOFOLLOW), member.metadata);
  }

  static void check(int result) {
    if (result != 0) throw Error::system(errno, "cannot make it");
  }

  void make_hard_link(const std::string& target, const Fd& directory,
                      const std::string& name) const {
    const auto [target_parent, target_name] = split_path(target);
    const auto target_directory = open_directory_beneath(root_, target_parent);
    if (!target_directory) refuse("the target of the hard link does not exist");
    const auto link = [&, &target_name = target_name] {
      return ::linkat(target_directory->get(), target_name.c_str(), directory.get(), name.c_str(),
                      0);
    };
    if (link() == 0) return;
    const int error_number = errno;
    const auto status = stat_at(*target_directory, target_name);
    // One that is immutable or append-only gets no more names.
    if (error_number != EPERM || !status || !S_ISREG(status->st_mode)) {
      throw Error::system(error_number, "cannot make it");
    }
    const Fd file = open_at(*target_directory, target_name, O_RDONLY | O_NOFOLLOW);
    const uint32_t flags = read_inode_flags(file);
    write_inode_flags(file, 0);
    check(link());
    write_inode_flags(file, flags);
  }

  void make_file(TarReader& tar, const TarMember& member, const TreeChecks::Place& place,
                 const Fd& directory, const std::string& name) {
    const Fd file = open_at(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    require_room(file, data_size(member));
    uint64_t position = 0;
    read_content(tar, member, [&](const TarReader::Block& block) {
      if (block.offset != position &&
          ::lseek(file.get(), static_cast<off_t>(block.offset), SEEK_SET) < 0) {
        throw Error::system(errno, "cannot seek");
      }
      write_all(file, block.data);
      position = block.offset + block.data.size();
    });
    if (position != member.size_bytes &&
        ::ftruncate(file.get(), static_cast<off_t>(member.size_bytes)) != 0) {
      throw Error::system(errno, "cannot set the size");
    }
    apply_metadata(file, member.metadata);
    give_flags(file, member.metadata.inode_flags, place.path);
  }

  const Fd& root_;
  TreeChecks checks_;
  Way way_;
  uint32_t root_flags_ = 0;
  SomePaths without_flags_;
};

}  // namespace

SomePaths extract_tree_tar(const Source& source, const Fd& root, const ExtractOptions& options) {
  TarReader tar(source);
  TreeExtractor extractor(root, options);
  while (const auto member = tar.next()) {
    try {
      extractor.extract(tar, *member);
    } catch (const Error& error) {
      throw error.in("archive member \"" + printable_name(member->name) + "\"");
    }
  }
  tar.finish();
  return extractor.finish();
}

}  // namespace still::archive
