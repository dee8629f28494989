#include "archive/writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include "archive/compressor.h"
#include "archive/front.h"
#include "archive/sha256.h"
#include "archive/tar_stream.h"
#include "base/error.h"
#include "base/text.h"
#include "os/content.h"
#include "os/files.h"
#include "os/walk.h"

namespace still::archive {
namespace {

constexpr size_t kReadSize = size_t{1} << 20;
constexpr uint64_t kProgressStep = uint64_t{16} << 20;
constexpr uint64_t kGiveBackStep = uint64_t{16} << 20;
// For the manifest: enough for about a thousand members, and little beside a memory image.
constexpr size_t kFrontRoom = kMaxRoom;

void seek(const Fd& file, uint64_t offset) {
  if (::lseek(file.get(), static_cast<off_t>(offset), SEEK_SET) < 0) {
    throw Error::system(errno, "cannot seek");
  }
}

// Of the file that a content too far in front is moved to.
std::string second_key(const std::string& key) { return key.empty() ? key : key + "-2"; }

AtomicFile create(const std::shared_ptr<const FilePlace>& target, const std::string& key) {
  target->check();
  return {target, 0600, key};
}

}  // namespace

class ArchiveWriter::Implementation {
 public:
  Implementation(const std::shared_ptr<const FilePlace>& target, Compression compression,
                 const std::string& key)
      : target_(target),
        compression_(compression),
        key_(key),
        file_(create(target, key)),
        compressor_(make_compressor(
            compression, [this](std::string_view data) { write_all(file_.fd(), data); })),
        tar_([this](std::string_view data) { pass_on(data); }, TarWriter::Detail::kCompact) {
    seek(file_.fd(), kFrontRoom);
  }

  void set_progress(Progress progress) { progress_ = std::move(progress); }

  void add_bytes(const std::string& name, std::string_view content) {
    begin(name, S_IFREG | 0600, content.size(), {});
    write(content);
    end(name);
  }

  void add_file(const std::string& name, const Fd& file, uint64_t max_bytes, Reading reading) {
    const auto size = std::min(static_cast<uint64_t>(stat_fd(file).st_size), max_bytes);
    begin(name, S_IFREG | 0600, size, {});
    std::string buffer(std::min<uint64_t>(size, kReadSize), '\0');
    uint64_t given_back = 0;
    for (uint64_t done = 0; done < size;) {
      const ssize_t got =
          ::pread(file.get(), buffer.data(), std::min<uint64_t>(buffer.size(), size - done),
                  static_cast<off_t>(done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw Error::system(errno, "cannot read");
      if (got == 0) break;  // end() finds that content is missing
      write({buffer.data(), static_cast<size_t>(got)});
      done += static_cast<uint64_t>(got);
      if (reading == Reading::kUseUp && done - given_back >= kGiveBackStep) {
        // Where the file system cannot, the space comes back with the file.
        punch_hole(file, {given_back, done - given_back});
        given_back = done;
      }
    }
    end(name);
  }

  void add_directory(const std::string& name) {
    begin(name + "/", S_IFDIR | 0700, 0, {});
    end(name + "/");
  }

  void add_link(const std::string& name, const std::string& link_target) {
    begin(name, S_IFLNK | 0777, 0, link_target);
    hash_.update(link_target);
    end(name, link_target.size());
  }

  void add_files_below(const std::string& prefix, const Fd& directory, Reading reading,
                       const std::map<std::string, std::string>& instead) {
    add_directory(prefix);
    for (const auto& [path, content] : instead) add_bytes(prefix + "/" + path, content);
    walk_tree(directory, {.sorted = true}, [&](const WalkEntry& entry) {
      if (entry.kind == WalkEntry::kDirectoryLeave || instead.contains(entry.path)) return;
      const std::string name = prefix + "/" + entry.path;
      if (S_ISDIR(entry.status.st_mode)) return add_directory(name);
      if (S_ISLNK(entry.status.st_mode)) {
        return add_link(name, read_link_at(entry.parent, entry.name));
      }
      if (!S_ISREG(entry.status.st_mode)) {
        throw Error(ErrorKind::kUnsupported, "only files, directories and links can be added");
      }
      const int access = reading == Reading::kUseUp ? O_RDWR : O_RDONLY;
      add_file(name, open_at(entry.parent, entry.name, access | O_NOFOLLOW), UINT64_MAX, reading);
    });
  }

  TreeTarTotals add_tree(const std::string& name, const Fd& root, const TreeTarOptions& options) {
    const TreeTarPlan plan = measure_tree_tar(root, options);
    begin(name, S_IFREG | 0600, plan.totals.size_bytes, {});
    auto totals =
        write_tree_tar(root, options, plan, [this](std::string_view data) { write(data); });
    end(name);
    return totals;
  }

  void commit(Manifest manifest) {
    tar_.finish();
    compressor_->finish();
    manifest.members = std::move(members_);
    const std::string json = to_json(manifest);
    const std::string front = pack_front(compression_, kManifestMember, json, kFrontRoom);
    if (front.size() != kFrontRoom) {
      move_content(pack_front(compression_, kManifestMember, json, 0));
    } else {
      seek(file_.fd(), 0);
      write_all(file_.fd(), front);
    }
    size_bytes_ = static_cast<uint64_t>(stat_fd(file_.fd()).st_size);
    file_.commit();
  }

  uint64_t size_bytes() const { return size_bytes_; }

 private:
  void begin(const std::string& name, mode_t mode, uint64_t size, const std::string& link_target) {
    if (members_.contains(name)) {
      throw Error(ErrorKind::kInternal, "the archive has a member " + printable(name) + " already");
    }
    TarMember member{};
    member.name = name;
    member.metadata.mode = mode;
    member.metadata.mtime.tv_sec = started_;
    member.size_bytes = size;
    member.link_target = link_target;
    tar_.begin(member);
    hash_ = Sha256();
    member_bytes_ = 0;
  }

  void write(std::string_view content) {
    tar_.write(content);
    hash_.update(content);
    member_bytes_ += content.size();
  }

  void end(const std::string& name) { end(name, member_bytes_); }

  void end(const std::string& name, uint64_t size) try {
    tar_.end();
    members_[name] = {.size_bytes = size, .sha256 = hash_.finish()};
  } catch (const Error& error) {
    throw error.in("member " + printable(name));
  }

  void pass_on(std::string_view data) {
    compressor_->write(data);
    uncompressed_ += data.size();
    if (progress_ && uncompressed_ - reported_ >= kProgressStep) {
      reported_ = uncompressed_;
      progress_(uncompressed_);
    }
  }

  // The rare manifest that does not fit the room kept for it: the content moves behind a longer
  // front, in a new file.
  void move_content(const std::string& front) {
    AtomicFile moved = create(target_, second_key(key_));
    const uint64_t length = static_cast<uint64_t>(stat_fd(file_.fd()).st_size) - kFrontRoom;
    write_all(moved.fd(), front);
    if (copy_range(file_.fd(), kFrontRoom, moved.fd(), front.size(), length) != length) {
      throw Error(ErrorKind::kConflict, "the archive shrank while it was written");
    }
    file_ = std::move(moved);
  }

  const std::shared_ptr<const FilePlace> target_;
  const Compression compression_;
  const std::string key_;
  const time_t started_ = ::time(nullptr);
  AtomicFile file_;
  std::unique_ptr<Compressor> compressor_;
  TarWriter tar_;
  Sha256 hash_;
  uint64_t member_bytes_ = 0;
  std::map<std::string, MemberRecord> members_;
  Progress progress_;
  uint64_t uncompressed_ = 0;
  uint64_t reported_ = 0;
  uint64_t size_bytes_ = 0;
};

ArchiveWriter::ArchiveWriter(std::shared_ptr<const FilePlace> target, Compression compression,
                             const std::string& key)
    : implementation_(std::make_unique<Implementation>(std::move(target), compression, key)) {}

ArchiveWriter::ArchiveWriter(const std::filesystem::path& target, Compression compression,
                             const std::string& key)
    : ArchiveWriter(std::make_shared<const FilePlace>(target), compression, key) {}

std::vector<std::filesystem::path> ArchiveWriter::temporary_paths(
    const std::filesystem::path& target, const std::string& key) {
  return {AtomicFile::temporary_path(target, key),
          AtomicFile::temporary_path(target, second_key(key))};
}

ArchiveWriter::~ArchiveWriter() = default;

void ArchiveWriter::set_progress(Progress progress) {
  implementation_->set_progress(std::move(progress));
}

void ArchiveWriter::add_bytes(const std::string& member, std::string_view content) {
  implementation_->add_bytes(member, content);
}

void ArchiveWriter::add_file(const std::string& member, const Fd& file, uint64_t max_bytes) {
  implementation_->add_file(member, file, max_bytes, Reading::kKeep);
}

void ArchiveWriter::add_directory(const std::string& member) {
  implementation_->add_directory(member);
}

void ArchiveWriter::add_files_below(const std::string& prefix, const Fd& directory, Reading reading,
                                    const std::map<std::string, std::string>& instead) {
  implementation_->add_files_below(prefix, directory, reading, instead);
}

TreeTarTotals ArchiveWriter::add_tree(const std::string& member, const Fd& root,
                                      const TreeTarOptions& options) {
  return implementation_->add_tree(member, root, options);
}

void ArchiveWriter::commit(Manifest manifest) { implementation_->commit(std::move(manifest)); }

uint64_t ArchiveWriter::size_bytes() const { return implementation_->size_bytes(); }

}  // namespace still::archive
