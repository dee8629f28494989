#include "archive/reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <string_view>
#include <utility>

#include "archive/decompressor.h"
#include "archive/encryption.h"
#include "archive/member_names.h"
#include "archive/room.h"
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
constexpr size_t kDrainSize = size_t{256} << 10;

[[noreturn]] void refuse(const std::string& reason) { throw Error(ErrorKind::kCorrupt, reason); }

bool is_directory(const TarMember& member) { return S_ISDIR(member.metadata.mode); }

// The name in the manifest's list and among those seen: directories end in a slash.
std::string listed_name(const TarMember& member) {
  return is_directory(member) && !member.name.ends_with('/') ? member.name + "/" : member.name;
}

std::string read_manifest_member(TarReader& tar, const TarMember& member) {
  check_member(member);
  std::string json;
  while (const auto block = tar.read()) json += block->data;
  return json;
}

Error with_member(const Error& error, const std::string& name) {
  return error.in("archive member \"" + printable_name(name) + "\"");
}

// The current member's content as a source that knows its digest, and is told what it has read.
class Content {
 public:
  Content(TarReader& tar, std::function<void(uint64_t)> progress)
      : tar_(tar), progress_(std::move(progress)) {}

  size_t read(char* buffer, size_t size) {
    while (rest_.empty() && !at_end_) {
      const auto block = tar_.read();
      at_end_ = !block;
      if (!block) break;
      digest_.update(block->data);
      progress_(block->data.size());
      rest_ = block->data;
    }
    const size_t copied = rest_.copy(buffer, size);
    rest_.remove_prefix(copied);
    return copied;
  }

  // After the end was reached.
  std::string digest() { return digest_.finish(); }

 private:
  TarReader& tar_;
  const std::function<void(uint64_t)> progress_;
  Sha256 digest_;
  std::string_view rest_;
  bool at_end_ = false;
};

void drain(const Source& content) {
  std::string buffer(kDrainSize, '\0');
  while (content(buffer.data(), buffer.size()) > 0) {
  }
}

class ArchiveReader {
 public:
  ArchiveReader(MemberSink& sink, const ReadOptions& options, ArchiveContents& contents)
      : sink_(sink), options_(options), contents_(contents) {}

  void read(TarReader& tar, const TarMember& member) {
    check_member(member);
    const std::string name = listed_name(member);
    const bool is_first = seen_.empty();
    if (!seen_.insert(name).second) refuse("it occurs twice");
    if (seen_.size() > kMaxMembers) refuse("the archive has too many members");
    contents_.members = seen_.size();
    contents_.size_bytes += member.size_bytes;
    if (name == kManifestMember) {
      if (!is_first) refuse("it is not the first member");
      const std::string json = read_manifest_member(tar, member);
      contents_.manifest = parse_manifest(json);
      sink_.manifest(json);
      for (const auto& [listed, record] : contents_.manifest->members) total_ += record.size_bytes;
      return;
    }
    const MemberRecord* record = record_of(name);
    if (record != nullptr) check_size(name, member, *record);
    const std::string digest = hand_over(tar, member);
    if (record != nullptr && record->sha256 != digest) {
      disagree(name, "its SHA-256 is not the one in the manifest");
    }
  }

  void finish() const {
    if (!contents_.manifest) return;
    for (const auto& [name, record] : contents_.manifest->members) {
      if (!seen_.contains(name)) disagree_about_missing(name);
    }
  }

 private:
  void disagree(const std::string& name, const std::string& reason) const {
    if (!options_.disagrees) refuse(reason);
    options_.disagrees(name, reason);
  }

  void disagree_about_missing(const std::string& name) const try {
    disagree(name, "the manifest lists it, but it is missing");
  } catch (const Error& error) {
    throw with_member(error, name);
  }

  // Null: there is no manifest, or it does not list the member.
  const MemberRecord* record_of(const std::string& name) const {
    if (!contents_.manifest) return nullptr;
    const auto record = contents_.manifest->members.find(name);
    if (record != contents_.manifest->members.end()) return &record->second;
    disagree(name, "the manifest does not list it");
    return nullptr;
  }

  // Before the sink gets anything of it.
  void check_size(const std::string& name, const TarMember& member,
                  const MemberRecord& record) const {
    const uint64_t size =
        S_ISLNK(member.metadata.mode) ? member.link_target.size() : member.size_bytes;
    if (record.size_bytes != size) disagree(name, "its size is not the one in the manifest");
  }

  // Returns the digest.
  std::string hand_over(TarReader& tar, const TarMember& member) {
    std::string path = member.name;
    if (path.ends_with('/')) path.pop_back();
    if (is_directory(member)) {
      sink_.directory(path);
      return Sha256().finish();
    }
    if (S_ISLNK(member.metadata.mode)) {
      sink_.link(path, member.link_target);
      Sha256 digest;
      digest.update(member.link_target);
      return digest.finish();
    }
    return hand_over_file(tar, path, member.size_bytes);
  }

  std::string hand_over_file(TarReader& tar, const std::string& path, uint64_t size_bytes) {
    Content content(tar, [&](uint64_t bytes) {
      done_ += bytes;
      if (options_.progress) options_.progress(done_, total_);
    });
    const Source source = [&](char* buffer, size_t size) { return content.read(buffer, size); };
    sink_.file(path, size_bytes, source);
    drain(source);
    return content.digest();
  }

  MemberSink& sink_;
  const ReadOptions& options_;
  ArchiveContents& contents_;
  std::set<std::string> seen_;
  uint64_t done_ = 0;
  uint64_t total_ = 0;
};

class Unpacker : public MemberSink {
 public:
  Unpacker(const Fd& target, MemberSink* checks) : target_(target), checks_(checks) {}

  void directory(const std::string& name) override {
    if (checks_ != nullptr) checks_->directory(name);
    make_directories(name);
  }

  void link(const std::string& path, const std::string& target) override {
    if (checks_ != nullptr) checks_->link(path, target);
    const auto [parent, name] = split_path(path);
    if (::symlinkat(target.c_str(), make_directories(parent).get(), name.c_str()) != 0) {
      throw Error::system(errno, "cannot make the link");
    }
  }

  void file(const std::string& path, uint64_t size_bytes, const Source& content) override {
    const auto [parent, name] = split_path(path);
    const Fd file =
        open_at(make_directories(parent), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    require_room(file, size_bytes);
    const Source stored = [&](char* buffer, size_t size) {
      const size_t got = content(buffer, size);
      write_all(file, {buffer, got});
      return got;
    };
    if (checks_ != nullptr) checks_->file(path, size_bytes, stored);
    drain(stored);
  }

 private:
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
  MemberSink* checks_;
};

ArchiveContents read_members(const Fd& file, MemberSink& sink, const ReadOptions& options) {
  ArchiveContents contents;
  ArchiveReader reader(sink, options, contents);
  TarReader tar(decompressing_source(decrypting_source(file, options.identity)));
  while (const auto member = tar.next()) {
    try {
      reader.read(tar, *member);
    } catch (const Error& error) {
      throw with_member(error, member->name);
    }
  }
  tar.finish();
  reader.finish();
  return contents;
}

}  // namespace

void MemberSink::manifest(std::string_view /*json*/) {}

ArchiveContents read_archive(const std::filesystem::path& archive, MemberSink& sink,
                             const ReadOptions& options) {
  const Fd file = open_file(archive, O_RDONLY);
  try {
    return read_members(file, sink, options);
  } catch (const Error& error) {
    throw error.in(printable(archive.native()));
  }
}

ArchiveContents unpack_archive(const std::filesystem::path& archive, const Fd& target,
                               MemberSink* checks, const ReadOptions& options) {
  Unpacker unpacker(target, checks);
  return read_archive(archive, unpacker, options);
}

std::optional<Manifest> read_manifest(const std::filesystem::path& archive) {
  const Fd file = open_file(archive, O_RDONLY);
  try {
    TarReader tar(decompressing_source(file_source(file)));
    const auto member = tar.next();
    if (!member || member->name != kManifestMember) return std::nullopt;
    return parse_manifest(read_manifest_member(tar, *member));
  } catch (const Error& error) {
    throw error.in(printable(archive.native()));
  }
}

}  // namespace still::archive
