#include "archive/reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <utility>

#include "archive/decompressor.h"
#include "archive/member_names.h"
#include "archive/sha256.h"
#include "archive/tar_stream.h"
#include "base/error.h"
#include "base/text.h"
#include "os/beneath.h"
#include "os/files.h"

namespace still::archive {
namespace {

// Far above what a container of thousands of processes needs.
constexpr size_t kMaxMembers = 200'000;
constexpr uint64_t kMaxManifestSize = uint64_t{64} << 20;

[[noreturn]] void refuse(const std::string& reason) { throw Error(ErrorKind::kCorrupt, reason); }

bool is_directory(const TarMember& member) { return S_ISDIR(member.metadata.mode); }

// The name in the manifest's list and among those seen: directories end in a slash.
std::string listed_name(const TarMember& member) {
  return is_directory(member) && !member.name.ends_with('/') ? member.name + "/" : member.name;
}

Manifest read_manifest_member(TarReader& tar, const TarMember& member) {
  if (member.size_bytes > kMaxManifestSize) refuse("it is too large");
  std::string json;
  while (const auto block = tar.read()) json += block->data;
  return parse_manifest(json);
}

Error with_member(const Error& error, const std::string& name) {
  return error.in("archive member \"" + printable(name) + "\"");
}

class Unpacker {
 public:
  Unpacker(const Fd& target, ArchiveContents& contents) : target_(target), contents_(contents) {}

  void unpack(TarReader& tar, const TarMember& member) {
    check_member(member);
    const std::string name = listed_name(member);
    const bool is_first = seen_.empty();
    if (!seen_.insert(name).second) refuse("it occurs twice");
    if (seen_.size() > kMaxMembers) refuse("the archive has too many members");
    if (name == kManifestMember) {
      if (!is_first) refuse("it is not the first member");
      contents_.manifest = read_manifest_member(tar, member);
      return;
    }
    check_size(name, member);
    check_digest(name, store(tar, member));
  }

  void finish() const {
    if (!contents_.manifest) return;
    for (const auto& [name, record] : contents_.manifest->members) {
      if (!seen_.contains(name)) throw with_member(missing(), name);
    }
  }

 private:
  static Error missing() {
    return {ErrorKind::kCorrupt, "the manifest lists it, but it is missing"};
  }

  const MemberRecord& record_of(const std::string& name) const {
    const auto record = contents_.manifest->members.find(name);
    if (record == contents_.manifest->members.end()) refuse("the manifest does not list it");
    return record->second;
  }

  // Before anything of it is stored.
  void check_size(const std::string& name, const TarMember& member) const {
    if (!contents_.manifest) return;
    const uint64_t size =
        S_ISLNK(member.metadata.mode) ? member.link_target.size() : member.size_bytes;
    if (record_of(name).size_bytes != size) refuse("its size is not the one in the manifest");
  }

  void check_digest(const std::string& name, const std::string& digest) const {
    if (!contents_.manifest) return;
    if (record_of(name).sha256 != digest) refuse("its SHA-256 is not the one in the manifest");
  }

  // Returns the digest of what was stored.
  std::string store(TarReader& tar, const TarMember& member) {
    std::string path = member.name;
    if (path.ends_with('/')) path.pop_back();
    Sha256 digest;
    if (is_directory(member)) {
      make_directories(path);
      return digest.finish();
    }
    const auto [parent, name] = split_path(path);
    const Fd directory = make_directories(parent);
    if (S_ISLNK(member.metadata.mode)) {
      digest.update(member.link_target);
      if (::symlinkat(member.link_target.c_str(), directory.get(), name.c_str()) != 0) {
        throw Error::system(errno, "cannot make the link");
      }
      return digest.finish();
    }
    const Fd file = open_at(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    while (const auto block = tar.read()) {
      digest.update(block->data);
      write_all(file, block->data);
    }
    return digest.finish();
  }

  // Members need not come after entries for their directories.
  Fd make_directories(const std::string& path) const {
    Fd directory = open_at(target_, ".", O_RDONLY | O_DIRECTORY);
    if (path.empty()) return directory;
    for (const std::string& name : split(path, '/')) {
      if (::mkdirat(directory.get(), name.c_str(), 0700) != 0 && errno != EEXIST) {
        throw Error::system(errno, "cannot make the directory " + name);
      }
      directory = open_at(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    }
    return directory;
  }

  const Fd& target_;
  ArchiveContents& contents_;
  std::set<std::string> seen_;
};

ArchiveContents unpack(const Fd& file, const Fd& target) {
  ArchiveContents contents;
  Unpacker unpacker(target, contents);
  TarReader tar(decompressing_source(file));
  while (const auto member = tar.next()) {
    try {
      unpacker.unpack(tar, *member);
    } catch (const Error& error) {
      throw with_member(error, member->name);
    }
  }
  tar.finish();
  unpacker.finish();
  return contents;
}

}  // namespace

ArchiveContents unpack_archive(const std::filesystem::path& archive, const Fd& target) {
  const Fd file = open_file(archive, O_RDONLY);
  try {
    return unpack(file, target);
  } catch (const Error& error) {
    throw error.in(printable(archive.native()));
  }
}

std::optional<Manifest> read_manifest(const std::filesystem::path& archive) {
  const Fd file = open_file(archive, O_RDONLY);
  try {
    TarReader tar(decompressing_source(file));
    const auto member = tar.next();
    if (!member || member->name != kManifestMember) return std::nullopt;
    return read_manifest_member(tar, *member);
  } catch (const Error& error) {
    throw error.in(printable(archive.native()));
  }
}

}  // namespace still::archive
