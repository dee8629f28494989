#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include "archive/tar_stream.h"
#include "archive/tree_tar.h"
#include "base/error.h"
#include "os/beneath.h"
#include "os/content.h"
#include "os/files.h"
#include "os/inode_flags.h"
#include "os/metadata.h"
#include "os/walk.h"

namespace still::archive {
namespace {

constexpr size_t kReadSize = size_t{1} << 20;
constexpr const char* kRootName = "./";

// What an upper layer's xattrs are in the merged tree. Overlayfs keeps its own ones under
// "trusted.overlay.", and those that a file of the tree has itself, when an overlay is kept inside
// an overlay, with that prefix doubled.
Xattrs merged_xattrs(Xattrs xattrs) {
  Xattrs result;
  for (auto& [name, value] : xattrs) {
    if (!name.starts_with(kOverlayXattrPrefix)) {
      result.emplace(name, std::move(value));
    } else if (name.substr(kOverlayXattrPrefix.size()).starts_with("overlay.")) {
      result.emplace("trusted." + name.substr(kOverlayXattrPrefix.size()), std::move(value));
    }
  }
  return result;
}

// Where overlayfs keeps the flags of inodes that the merged tree has: a letter for each.
uint32_t overlay_flags(const Xattrs& xattrs) {
  const auto kept = xattrs.find(std::string(kOverlayXattrPrefix) + "protattr");
  if (kept == xattrs.end()) return 0;
  return (kept->second.contains('a') ? kAppendOnly : 0) |
         (kept->second.contains('i') ? kImmutable : 0);
}

// The data extents of sparse files by path; files that are not sparse are not in it.
using SparseFiles = std::map<std::string, std::vector<Extent>>;

class TreeTar {
 public:
  // known: the sparse files, if the tree was measured before. Without contents files' bytes are
  // replaced by zeros, so that the stream has the same size.
  TreeTar(const TreeTarOptions& options, const SparseFiles* known, const Sink& sink,
          bool with_contents)
      : options_(options),
        known_(known),
        with_contents_(with_contents),
        buffer_(with_contents ? kReadSize : 0, '\0'),
        tar_([this, &sink](std::string_view data) { pass_on(sink, data); },
             TarWriter::Detail::kExact) {}

  TreeTarPlan write(const Fd& root) {
    add(describe(root, {}, kRootName));
    walk_tree(root, {.sorted = true}, [this](const WalkEntry& entry) { visit(entry); });
    tar_.finish();
    return {std::move(totals_), std::move(sparse_files_)};
  }

 private:
  void pass_on(const Sink& sink, std::string_view data) {
    totals_.size_bytes += data.size();
    sink(data);
  }

  void visit(const WalkEntry& entry) {
    if (entry.kind == WalkEntry::kDirectoryLeave || lies_in(entry.path, options_.excluded)) return;
    if (options_.upper_layer && is_whiteout(entry.status)) return;
    if (S_ISSOCK(entry.status.st_mode)) {
      totals_.sockets.push_back(entry.path);
      return;
    }
    if (entry.kind == WalkEntry::kOther && entry.status.st_nlink > 1 && add_link(entry)) return;
    if (S_ISREG(entry.status.st_mode)) return add_file(entry);
    const Fd opened = open_at(entry.parent, entry.name, O_PATH | O_NOFOLLOW);
    TarMember member = describe(opened, entry.path, entry.path);
    if (S_ISLNK(member.metadata.mode)) member.link_target = read_link_at(opened, "");
    member.device = entry.status.st_rdev;
    add(member);
  }

  // Whether another name of the same inode is a member already; then this becomes a link to it.
  bool add_link(const WalkEntry& entry) {
    const auto [first, is_new] =
        first_names_.try_emplace({entry.status.st_dev, entry.status.st_ino}, entry.path);
    if (is_new) return false;
    TarMember member{};
    member.name = entry.path;
    member.hard_link = first->second;
    member.metadata.mode = entry.status.st_mode;
    add(member);
    return true;
  }

  void add_file(const WalkEntry& entry) {
    const Fd file = open_at(entry.parent, entry.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    TarMember member = describe(file, entry.path, entry.path);
    member.size_bytes = static_cast<uint64_t>(stat_fd(file).st_size);
    const std::vector<Extent> extents = extents_of(file, entry.path, member.size_bytes);
    if (extents != whole(member.size_bytes)) {
      member.data = extents;
      if (known_ == nullptr) sparse_files_.emplace(entry.path, extents);
    }
    note_privileged(member);
    tar_.begin(member);
    write_content(file, extents, member.size_bytes);
    tar_.end();
    ++totals_.files;
    if (static_cast<uint64_t>(stat_fd(file).st_size) != member.size_bytes) {
      throw Error(ErrorKind::kConflict, "the size changed while it was read");
    }
  }

  static std::vector<Extent> whole(uint64_t size_bytes) {
    if (size_bytes == 0) return {};
    return {{0, size_bytes}};
  }

  std::vector<Extent> extents_of(const Fd& file, const std::string& path,
                                 uint64_t size_bytes) const {
    if (known_ == nullptr) return data_extents(file, size_bytes);
    const auto sparse = known_->find(path);
    return sparse != known_->end() ? sparse->second : whole(size_bytes);
  }

  void write_content(const Fd& file, const std::vector<Extent>& extents, uint64_t size_bytes) {
    if (!with_contents_) return tar_.write_zeros(size_bytes);
    uint64_t position = 0;
    for (const Extent& extent : extents) {
      tar_.write_zeros(extent.offset - position);
      write_extent(file, extent);
      position = extent.offset + extent.length;
    }
    tar_.write_zeros(size_bytes - position);
  }

  void write_extent(const Fd& file, const Extent& extent) {
    uint64_t done = 0;
    while (done < extent.length) {
      const ssize_t got = ::pread(file.get(), buffer_.data(),
                                  std::min<uint64_t>(buffer_.size(), extent.length - done),
                                  static_cast<off_t>(extent.offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw Error::system(errno, "cannot read");
      if (got == 0) throw Error(ErrorKind::kConflict, "the content shrank while it was read");
      tar_.write({buffer_.data(), static_cast<size_t>(got)});
      done += static_cast<uint64_t>(got);
    }
  }

  TarMember describe(const Fd& entry, const std::string& path, std::string name) const {
    TarMember member{};
    member.name = std::move(name);
    member.metadata = read_metadata(entry);
    const auto flags = options_.inode_flags.find(path);
    if (flags != options_.inode_flags.end()) member.metadata.inode_flags |= flags->second;
    if (options_.upper_layer) {
      member.metadata.inode_flags |= overlay_flags(member.metadata.xattrs);
      member.metadata.xattrs = merged_xattrs(std::move(member.metadata.xattrs));
    }
    return member;
  }

  void note_privileged(const TarMember& member) {
    if (is_privileged_node(member.metadata.mode, member.device)) {
      totals_.privileged.devices.add(member.name);
    }
    if (has_trusted_xattrs(member.metadata.xattrs)) {
      totals_.privileged.trusted.add(member.name == kRootName ? "." : member.name);
    }
  }

  void add(const TarMember& member) {
    if (member.hard_link.empty()) note_privileged(member);
    tar_.begin(member);
    tar_.end();
    ++totals_.files;
  }

  const TreeTarOptions& options_;
  const SparseFiles* const known_;
  const bool with_contents_;
  std::string buffer_;
  std::map<std::pair<dev_t, ino_t>, std::string> first_names_;
  TreeTarTotals totals_;
  SparseFiles sparse_files_;
  TarWriter tar_;
};

}  // namespace

TreeTarTotals write_tree_tar(const Fd& root, const TreeTarOptions& options, const Sink& sink) {
  return TreeTar(options, nullptr, sink, true).write(root).totals;
}

TreeTarTotals write_tree_tar(const Fd& root, const TreeTarOptions& options, const TreeTarPlan& plan,
                             const Sink& sink) {
  return TreeTar(options, &plan.sparse_files, sink, true).write(root).totals;
}

TreeTarPlan measure_tree_tar(const Fd& root, const TreeTarOptions& options) {
  const Sink ignore = [](std::string_view) {};
  return TreeTar(options, nullptr, ignore, false).write(root);
}

}  // namespace still::archive
