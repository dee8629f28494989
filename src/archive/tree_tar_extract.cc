#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ranges>
#include <unordered_map>
#include <utility>

#include "archive/tar_stream.h"
#include "archive/tree_tar.h"
#include "base/error.h"
#include "base/text.h"
#include "os/beneath.h"
#include "os/files.h"
#include "os/metadata.h"

namespace still::archive {
namespace {

[[noreturn]] void refuse(const std::string& reason) { throw Error(ErrorKind::kCorrupt, reason); }

// "./a/b/" -> "a/b"; "./" -> "", the root of the tree.
std::string tree_path(std::string_view name) {
  while (name.starts_with("./")) name.remove_prefix(2);
  while (name.size() > 1 && name.ends_with('/')) name.remove_suffix(1);
  if (name.empty() || name == ".") return {};
  if (!is_plain_path(name)) refuse("the name leads out of the tree or is malformed");
  return std::string(name);
}

class TreeExtractor {
 public:
  TreeExtractor(const Fd& root, const ExtractOptions& options) : root_(root), options_(options) {}

  void extract(TarReader& tar, const TarMember& member) {
    const std::string path = tree_path(member.name);
    const bool is_directory = member.hard_link.empty() && S_ISDIR(member.metadata.mode);
    if (path.empty() && !is_directory) refuse("the root of the tree is no directory");
    if (!seen_.emplace(path, is_directory).second) refuse("the name occurs twice");
    check_xattrs(member.metadata.xattrs);
    if (is_directory) return make_directory_member(path, member.metadata);
    const auto [parent, name] = split_path(path);
    make_entry(tar, member, open_parent(parent), name);
  }

  // Metadata of directories come last: entries made in them change their times, and a default ACL
  // would go over to the entries.
  void finish() {
    for (const auto& [path, metadata] : std::views::reverse(directories_)) {
      apply_to_directory(path, metadata);
    }
  }

 private:
  using Directory = std::pair<std::string, Metadata>;

  void check_xattrs(const Xattrs& xattrs) const {
    for (const auto& [name, value] : xattrs) {
      if (name.starts_with("trusted.") && !options_.allow_trusted_xattrs) {
        refuse("it has the extended attribute " + printable(name));
      }
    }
  }

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

  void make_entry(TarReader& tar, const TarMember& member, const Fd& directory,
                  const std::string& name) {
    // clear_way may drop the parent that is kept open; this keeps it for the rest of the entry.
    const Fd parent = directory.duplicate();
    clear_way(parent, name);
    if (!member.hard_link.empty()) return make_hard_link(member, parent, name);
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
        if (!options_.allow_devices) refuse("it is a device node");
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

  // Links name an earlier member, never what was in the tree before; a link to a symbolic link is
  // a second name of that link, which is not followed.
  void make_hard_link(const TarMember& member, const Fd& directory, const std::string& name) {
    if (member.size_bytes > 0) refuse("it is a hard link with content");
    const std::string path = tree_path(member.hard_link);
    const auto target = seen_.find(path);
    const auto [target_parent, target_name] = split_path(path);
    if (target == seen_.end() || target->second || path == tree_path(member.name)) {
      refuse("it is a hard link to what is no earlier member of the archive");
    }
    const auto target_directory = open_directory_beneath(root_, target_parent);
    if (!target_directory) refuse("the target of the hard link does not exist");
    check(::linkat(target_directory->get(), target_name.c_str(), directory.get(), name.c_str(), 0));
  }

  static void make_file(TarReader& tar, const TarMember& member, const Fd& directory,
                        const std::string& name) {
    const Fd file = open_at(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    uint64_t position = 0;
    while (const auto block = tar.read()) {
      if (block->offset < position || block->data.size() > member.size_bytes ||
          block->offset > member.size_bytes - block->data.size()) {
        refuse("the content does not fit the size");
      }
      if (block->offset != position &&
          ::lseek(file.get(), static_cast<off_t>(block->offset), SEEK_SET) < 0) {
        throw Error::system(errno, "cannot seek");
      }
      write_all(file, block->data);
      position = block->offset + block->data.size();
    }
    if (position != member.size_bytes &&
        ::ftruncate(file.get(), static_cast<off_t>(member.size_bytes)) != 0) {
      throw Error::system(errno, "cannot set the size");
    }
    apply_metadata(file, member.metadata);
  }

  void apply_to_directory(const std::string& path, const Metadata& metadata) {
    try {
      const auto directory = open_directory_beneath(root_, path);
      if (!directory) refuse("the directory is not there any more");
      apply_metadata(*directory, metadata);
    } catch (const Error& error) {
      throw error.in("archive member \"" + printable(path) + "\"");
    }
  }

  const Fd& root_;
  const ExtractOptions& options_;
  std::unordered_map<std::string, bool> seen_;  // path -> whether it is a directory
  std::vector<Directory> directories_;
  std::optional<Fd> parent_;
  std::string parent_path_;
};

}  // namespace

void extract_tree_tar(const Source& source, const Fd& root, const ExtractOptions& options) {
  TarReader tar(source);
  TreeExtractor extractor(root, options);
  while (const auto member = tar.next()) {
    try {
      extractor.extract(tar, *member);
    } catch (const Error& error) {
      throw error.in("archive member \"" + printable(member->name) + "\"");
    }
  }
  tar.finish();
  extractor.finish();
}

}  // namespace still::archive
