#include "contents/member.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "archive/decompressor.h"
#include "archive/manifest.h"
#include "archive/members.h"
#include "archive/room.h"
#include "archive/tree_checks.h"
#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "contents/images.h"
#include "criu/image_files.h"
#include "os/files.h"

namespace still::contents {
namespace {

using archive::MemberKind;

std::string quoted(const std::string& name) { return "\"" + printable_name(name) + "\""; }

class Finder : public archive::MemberSink {
 public:
  Finder(const std::string& wanted, const TakeMember& take) : wanted_(wanted), take_(take) {}

  void manifest(std::string_view json) override {
    const archive::Source text = [rest = json](char* buffer, size_t size) mutable {
      const size_t copied = rest.copy(buffer, size);
      rest.remove_prefix(copied);
      return copied;
    };
    file(archive::kManifestMember, json.size(), text);
  }
  void directory(const std::string& name) override {
    if (name == wanted_ || name + "/" == wanted_) other_ = "a directory";
  }
  void link(const std::string& name, const std::string& /*target*/) override {
    if (name == wanted_) other_ = "a link";
  }
  void file(const std::string& name, uint64_t size_bytes, const archive::Source& content) override {
    if (name != wanted_) return;
    is_found_ = true;
    take_(size_bytes, content);
  }

  void require_found() const {
    if (is_found_) return;
    if (!other_.empty()) {
      throw Error(ErrorKind::kUsage, quoted(wanted_) + " is " + other_ + " in the archive",
                  "name a file in it: `still archive ls` lists them");
    }
    throw Error(ErrorKind::kNotFound, "the archive has no member " + quoted(wanted_),
                "`still archive ls` lists them");
  }

 private:
  const std::string& wanted_;
  const TakeMember& take_;
  std::string other_;
  bool is_found_ = false;
};

bool is_packed_tmpfs(const std::string& member) {
  const std::string file = image_of(member);
  if (file.empty()) return false;
  for (const criu::ImageFileKind& kind : criu::image_file_kinds()) {
    if (kind.use == criu::ImageUse::kTmpfs && !criu::number_in(file, kind.pattern).empty()) {
      return true;
    }
  }
  return false;
}

bool is_plain_tree(const std::string& member) {
  switch (archive::kind_of(member)) {
    case MemberKind::kRootfs:
    case MemberKind::kShm:
    case MemberKind::kVolume:
    case MemberKind::kEtc:
      return true;
    default:
      return false;
  }
}

// "/etc/hosts", "./etc/hosts" -> "etc/hosts"
std::string path_in_tree(std::string_view path) {
  while (path.starts_with('/') || path.starts_with("./"))
    path.remove_prefix(path[0] == '/' ? 1 : 2);
  return std::string(path);
}

const char* kind_name(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "a directory";
    case S_IFLNK:
      return "a symbolic link";
    case S_IFIFO:
      return "a FIFO";
    default:
      return "a device node";
  }
}

void require_content(const archive::TarMember& member, const archive::TreeChecks::Place& place) {
  if (!place.hard_link.empty()) {
    throw Error(ErrorKind::kUsage, "it is another name of " + quoted(place.hard_link),
                "name that one");
  }
  if (S_ISREG(member.metadata.mode)) return;
  std::string what = formatted("it is {}", kind_name(member.metadata.mode));
  if (S_ISLNK(member.metadata.mode)) what += " to " + quoted(member.link_target);
  throw Error(ErrorKind::kUsage, what + " and has no content");
}

// Holes stay holes.
void copy_content(archive::TarReader& tar, const archive::TarMember& member, const Fd& target) {
  if (::ftruncate(target.get(), static_cast<off_t>(member.size_bytes)) != 0) {
    throw Error::system(errno, "cannot set the size");
  }
  archive::read_content(tar, member, [&](const archive::TarReader::Block& block) {
    if (::lseek(target.get(), static_cast<off_t>(block.offset), SEEK_SET) < 0) {
      throw Error::system(errno, "cannot seek");
    }
    write_all(target, block.data);
  });
}

uint64_t data_size(const archive::TarMember& member) {
  if (!member.data) return member.size_bytes;
  uint64_t size = 0;
  for (const Extent& extent : *member.data) size += extent.length;
  return size;
}

}  // namespace

void read_member(const std::filesystem::path& archive, const std::string& member,
                 const archive::ReadOptions& options, const TakeMember& take) {
  Finder finder(member, take);
  archive::read_archive(archive, finder, options);
  try {
    finder.require_found();
  } catch (const Error& error) {
    throw error.in(printable(archive.native()));
  }
}

bool is_tree(const std::string& member) { return is_plain_tree(member) || is_packed_tmpfs(member); }

archive::Source tree_stream(const std::string& member, archive::Source content) {
  if (is_plain_tree(member)) return content;
  if (is_packed_tmpfs(member)) return archive::decompressing_source(std::move(content));
  throw Error(ErrorKind::kUsage, quoted(member) + " is no tree: there are no files in it");
}

void copy_member(const std::filesystem::path& archive, const std::string& member, const Fd& target,
                 const archive::ReadOptions& options) {
  read_member(archive, member, options, [&](uint64_t size_bytes, const archive::Source& content) {
    archive::require_room(target, size_bytes);
    archive::for_each_block(content, [&](std::string_view block) { write_all(target, block); });
  });
}

void copy_tree_file(const std::filesystem::path& archive, const std::string& member,
                    const std::string& path, const Fd& target,
                    const archive::ReadOptions& options) {
  const std::string wanted = path_in_tree(path);
  bool is_found = false;
  read_member(archive, member, options, [&](uint64_t /*size*/, const archive::Source& content) {
    archive::TreeChecks checks(kLooking);
    archive::for_each_tree_member(tree_stream(member, content), checks,
                                  [&](archive::TarReader& tar, const archive::TarMember& entry,
                                      const archive::TreeChecks::Place& place) {
                                    if (place.path != wanted) return;
                                    require_content(entry, place);
                                    is_found = true;
                                    archive::require_room(target, data_size(entry));
                                    copy_content(tar, entry, target);
                                  });
  });
  if (is_found) return;
  throw Error(ErrorKind::kNotFound, quoted(member) + " has no file " + quoted(wanted),
              "`still archive ls FILE MEMBER` lists them")
      .in(printable(archive.native()));
}

}  // namespace still::contents
