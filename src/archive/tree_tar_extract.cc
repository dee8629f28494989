#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ranges>
#include <utility>

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

class TreeExtractor {
 public:
  TreeExtractor(const Fd& root, const ExtractOptions& options) : root_(root), checks_(options) {}

  void extract(TarReader& tar, const TarMember& member) {
    const TreeChecks::Place place = checks_.admit(member);
    note_flags(member, place.path);
    if (place.is_directory) return make_directory_member(place.path, member.metadata);
    const auto [parent, name] = split_path(place.path);
    make_entry(tar, member, place, open_parent(parent), name);
  }

  // Metadata of directories come last: entries made in them change their times, and a default ACL
  // would go over to the entries. Then the flags, with which nothing can be changed any more.
  // Returns the paths of those that could not be set.
  SomePaths finish() {
    for (const auto& [path, metadata] : std::views::reverse(directories_)) {
      apply_to_directory(path, metadata);
    }
    SomePaths without;
    for (const auto& [path, flags] : flags_) {
      if (!apply_flags(path, flags)) without.add(path.empty() ? "." : path);
    }
    return without;
  }

 private:
  // Linux has none of other kinds.
  void note_flags(const TarMember& member, const std::string& path) {
    const bool can_have_some = S_ISREG(member.metadata.mode) || S_ISDIR(member.metadata.mode);
    if (member.metadata.inode_flags == 0 || !member.hard_link.empty() || !can_have_some) return;
    flags_.emplace_back(path, member.metadata.inode_flags);
  }

  using Directory = std::pair<std::string, Metadata>;

  // The one of the member before is kept open: members are sorted.
  const Fd& open_parent(const std::string& path) {
    if (!parent_ || path != parent_path_) {
      parent_ = open_directory_beneath(root_, path);
      if (!parent_) refuse("its directory does not exist");
      parent_path_ = path;
    }
    return *parent_;
  }

  void make_directory_member(const std::string& path, const Metadata& metadata) {
    if (!path.empty()) {
      const auto [parent, name] = split_path(path);
      const Fd& directory = open_parent(parent);
      const auto present = stat_at(directory, name);
      if (present && !S_ISDIR(present->st_mode)) clear_way(directory, name);
      if (::mkdirat(directory.get(), name.c_str(), 0700) != 0 && errno != EEXIST) {
        throw Error::system(errno, "cannot make the directory");
      }
    }
    directories_.emplace_back(path, metadata);
  }

  // Removes what has the name: a file, or an empty directory.
  void clear_way(const Fd& directory, const std::string& name) {
    const auto present = stat_at(directory, name);
    if (!present) return;
    const bool is_directory = S_ISDIR(present->st_mode);
    if (::unlinkat(directory.get(), name.c_str(), is_directory ? AT_REMOVEDIR : 0) != 0) {
      const int error_number = errno;
      if (error_number == ENOTEMPTY) refuse("a directory that is not empty is in its place");
      throw Error::system(error_number, "cannot replace what has its name");
    }
    if (is_directory) parent_.reset();
  }

  void make_entry(TarReader& tar, const TarMember& member, const TreeChecks::Place& place,
                  const Fd& directory, const std::string& name) {
    // clear_way may drop the parent that is kept open; this keeps it for the rest of the entry.
    const Fd parent = directory.duplicate();
    clear_way(parent, name);
    if (!member.hard_link.empty()) return make_hard_link(place.hard_link, parent, name);
    switch (member.metadata.mode & S_IFMT) {
      case S_IFREG:
        return make_file(tar, member, parent, name);
      case S_IFLNK:
        check(::symlinkat(member.link_target.c_str(), parent.get(), name.c_str()));
        break;
      case S_IFIFO:
        check(::mkfifoat(parent.get(), name.c_str(), 0600));
        break;
      case S_IFCHR:
      case S_IFBLK:
        check(::mknodat(parent.get(), name.c_str(), (member.metadata.mode & S_IFMT) | 0600,
                        member.device));
        break;
      default:
        refuse("it is of an unknown kind");
    }
    apply_metadata(open_at(parent, name, O_PATH | O_NOFOLLOW), member.metadata);
  }

  void check(int result) const {
    if (result != 0) throw Error::system(errno, "cannot make it");
  }

  void make_hard_link(const std::string& target, const Fd& directory, const std::string& name) {
    const auto [target_parent, target_name] = split_path(target);
    const auto target_directory = open_directory_beneath(root_, target_parent);
    if (!target_directory) refuse("the target of the hard link does not exist");
    check(::linkat(target_directory->get(), target_name.c_str(), directory.get(), name.c_str(), 0));
  }

  static void make_file(TarReader& tar, const TarMember& member, const Fd& directory,
                        const std::string& name) {
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
  }

  bool apply_flags(const std::string& path, uint32_t flags) {
    const auto [parent, name] = split_path(path);
    const Fd& directory = open_parent(parent);
    return write_inode_flags(open_at(directory, name.empty() ? "." : name,
                                     O_RDONLY | O_NOFOLLOW | O_NONBLOCK),
                             flags);
  }

  void apply_to_directory(const std::string& path, const Metadata& metadata) {
    try {
      const auto directory = open_directory_beneath(root_, path);
      if (!directory) refuse("the directory is not there any more");
      apply_metadata(*directory, metadata);
    } catch (const Error& error) {
      throw error.in("archive member \"" + printable_name(path) + "\"");
    }
  }

  const Fd& root_;
  TreeChecks checks_;
  std::vector<Directory> directories_;
  std::vector<std::pair<std::string, uint32_t>> flags_;
  std::optional<Fd> parent_;
  std::string parent_path_;
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
