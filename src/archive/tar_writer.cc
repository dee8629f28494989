#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "archive/tar_stream.h"
#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace still::archive {
namespace {

// libarchive and others refuse headers over 1 MiB when they read; names and numbers need some too.
constexpr size_t kMaxXattrBytes = size_t{900} << 10;

constexpr std::array<char, size_t{64} << 10> kZeros{};

using ArchiveHandle = std::unique_ptr<::archive, int (*)(::archive*)>;
using EntryHandle = std::unique_ptr<::archive_entry, void (*)(::archive_entry*)>;

void set_sparse(::archive_entry* entry, const TarMember& member) {
  for (const Extent& extent : *member.data) {
    archive_entry_sparse_add_entry(entry, static_cast<la_int64_t>(extent.offset),
                                   static_cast<la_int64_t>(extent.length));
  }
  // A file that is nothing but a hole still needs an extent to be told from a full one.
  if (member.data->empty()) {
    archive_entry_sparse_add_entry(entry, static_cast<la_int64_t>(member.size_bytes), 0);
  }
}

void set_xattrs(::archive_entry* entry, const Xattrs& xattrs) {
  size_t total = 0;
  for (const auto& [name, value] : xattrs) {
    total += name.size() + value.size();
    archive_entry_xattr_add_entry(entry, name.c_str(), value.data(), value.size());
  }
  if (total > kMaxXattrBytes) {
    throw Error(ErrorKind::kUnsupported,
                formatted("its extended attributes have {} bytes, and a tar archive holds {}",
                          total, kMaxXattrBytes));
  }
}

void set_hard_link(::archive_entry* entry, const TarMember& member) {
  archive_entry_copy_hardlink(entry, member.hard_link.c_str());
}

void set_metadata(::archive_entry* entry, const TarMember& member) {
  const Metadata& metadata = member.metadata;
  archive_entry_set_mode(entry, metadata.mode);
  archive_entry_set_uid(entry, metadata.uid);
  archive_entry_set_gid(entry, metadata.gid);
  archive_entry_set_mtime(entry, metadata.mtime.tv_sec, metadata.mtime.tv_nsec);
  if (metadata.inode_flags != 0) archive_entry_set_fflags(entry, metadata.inode_flags, 0);
}

EntryHandle make_entry(const TarMember& member) {
  EntryHandle entry(archive_entry_new(), archive_entry_free);
  archive_entry_copy_pathname(entry.get(), member.name.c_str());
  set_metadata(entry.get(), member);
  if (!member.hard_link.empty()) {
    set_hard_link(entry.get(), member);
    return entry;
  }
  set_xattrs(entry.get(), member.metadata.xattrs);
  if (S_ISLNK(member.metadata.mode)) {
    archive_entry_copy_symlink(entry.get(), member.link_target.c_str());
  } else if (S_ISREG(member.metadata.mode)) {
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(member.size_bytes));
    if (member.data) set_sparse(entry.get(), member);
  } else if (S_ISCHR(member.metadata.mode) || S_ISBLK(member.metadata.mode)) {
    archive_entry_set_rdev(entry.get(), member.device);
  }
  return entry;
}

}  // namespace

class TarWriter::Implementation {
 public:
  Implementation(Sink sink, Detail detail)
      : sink_(std::move(sink)), archive_(archive_write_new(), archive_write_free) {
    check(detail == Detail::kExact ? archive_write_set_format_pax(archive_.get())
                                   : archive_write_set_format_pax_restricted(archive_.get()));
    // The form of xattrs that GNU tar and Go read; libarchive would write a second copy in its own.
    check(archive_write_set_options(archive_.get(), "xattrheader=SCHILY"));
    // Blocks go on at once and unchanged: the sizes of the stream are ours to count.
    check(archive_write_set_bytes_per_block(archive_.get(), 0));
    check(archive_write_open2(archive_.get(), this, nullptr, write_callback, nullptr, nullptr));
  }

  // archive_write_free ends a stream that was not finished; nobody wants to see that.
  ~Implementation() {
    sink_ = [](std::string_view) {};
  }

  void begin(const TarMember& member) {
    const EntryHandle entry = make_entry(member);
    remaining_ = S_ISREG(member.metadata.mode) && member.hard_link.empty() ? member.size_bytes : 0;
    const int result = archive_write_header(archive_.get(), entry.get());
    check(result == ARCHIVE_WARN && is_harmless_warning() ? ARCHIVE_OK : result);
  }

  void write(std::string_view data) {
    if (data.size() > remaining_) {
      throw Error(ErrorKind::kConflict, "the content grew while it was read");
    }
    const la_ssize_t written = archive_write_data(archive_.get(), data.data(), data.size());
    check(written < 0 ? static_cast<int>(written) : ARCHIVE_OK);
    if (static_cast<size_t>(written) != data.size()) {
      throw Error(ErrorKind::kInternal, "libarchive did not take all of a member's content");
    }
    remaining_ -= data.size();
  }

  void end() {
    if (remaining_ != 0) {
      throw Error(ErrorKind::kConflict, "the content shrank while it was read");
    }
    check(archive_write_finish_entry(archive_.get()));
  }

  void finish() { check(archive_write_close(archive_.get())); }

 private:
  // Exceptions must not cross the C library: they wait in failure_ for check(). The library is not
  // told, because it leaks what it holds when its output fails.
  static la_ssize_t write_callback(::archive*, void* self, const void* data, size_t size) noexcept {
    auto* writer = static_cast<Implementation*>(self);
    try {
      if (!writer->failure_) writer->sink_({static_cast<const char*>(data), size});
    } catch (...) {
      writer->failure_ = std::current_exception();
    }
    return static_cast<la_ssize_t>(size);
  }

  // Names that the C locale has no characters for are written as the bytes that they are, and the
  // member is marked so (hdrcharset=BINARY). To ask for that for all names would mark all members,
  // and GNU tar complains about each.
  bool is_harmless_warning() const {
    const char* reason = archive_error_string(archive_.get());
    return reason != nullptr && std::string_view(reason).starts_with("Can't translate");
  }

  void check(int result) {
    if (failure_) std::rethrow_exception(failure_);
    if (result == ARCHIVE_OK) return;
    const char* reason = archive_error_string(archive_.get());
    throw Error(ErrorKind::kUnsupported,
                "it cannot be written as tar: " + printable(reason ? reason : "unknown reason"));
  }

  Sink sink_;
  std::exception_ptr failure_;
  uint64_t remaining_ = 0;
  ArchiveHandle archive_;
};

TarWriter::TarWriter(Sink sink, Detail detail)
    : implementation_(std::make_unique<Implementation>(std::move(sink), detail)) {}

TarWriter::~TarWriter() = default;

void TarWriter::begin(const TarMember& member) { implementation_->begin(member); }

void TarWriter::write(std::string_view data) { implementation_->write(data); }

void TarWriter::write_zeros(uint64_t count) {
  while (count > 0) {
    const size_t step = std::min<uint64_t>(count, kZeros.size());
    write({kZeros.data(), step});
    count -= step;
  }
}

void TarWriter::end() { implementation_->end(); }

void TarWriter::finish() { implementation_->finish(); }

}  // namespace still::archive
