#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <utility>

#include "archive/header_check.h"
#include "archive/tar_stream.h"
#include "base/error.h"
#include "base/text.h"
#include "os/inode_flags.h"

namespace still::archive {
namespace {

constexpr size_t kReadSize = size_t{256} << 10;
// Two blocks of zeros end an archive.
constexpr uint64_t kEndMarkSize = 1024;
// Writers fill their last record with more of them. Terabytes compress to nothing, though, and
// would keep us busy for hours.
constexpr uint64_t kMaxZerosAtEnd = uint64_t{16} << 20;

[[noreturn]] void fail(const std::string& reason) { throw Error(ErrorKind::kCorrupt, reason); }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Writers put "%3D" for "=" in the names of attributes, which would end the key of a pax record.
std::string decode_percent(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low >= 0) i += 2;
    result += low >= 0 ? static_cast<char>(high * 16 + low) : text[i];
  }
  return result;
}

Xattrs xattrs_of(::archive_entry* entry) {
  Xattrs xattrs;
  archive_entry_xattr_reset(entry);
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
    xattrs[decode_percent(name)] = {static_cast<const char*>(value), size};
  }
  return xattrs;
}

uint32_t inode_flags_of(::archive_entry* entry) {
  unsigned long set = 0;
  unsigned long clear = 0;
  archive_entry_fflags(entry, &set, &clear);
  return static_cast<uint32_t>(set) & (kAppendOnly | kImmutable);
}

uint32_t owner_id(la_int64_t id) {
  // The greatest one means "no change" to chown(2).
  if (id < 0 || id >= std::numeric_limits<uint32_t>::max()) fail("the owner is out of range");
  return static_cast<uint32_t>(id);
}

Metadata metadata_of(::archive_entry* entry) {
  return {
      .mode = archive_entry_mode(entry),
      .uid = owner_id(archive_entry_uid(entry)),
      .gid = owner_id(archive_entry_gid(entry)),
      .atime = {.tv_sec = 0, .tv_nsec = UTIME_OMIT},
      .mtime = {.tv_sec = archive_entry_mtime(entry), .tv_nsec = archive_entry_mtime_nsec(entry)},
      .xattrs = xattrs_of(entry),
      .inode_flags = inode_flags_of(entry)};
}

std::vector<Extent> extents_of(::archive_entry* entry) {
  std::vector<Extent> extents;
  archive_entry_sparse_reset(entry);
  la_int64_t offset = 0;
  la_int64_t length = 0;
  while (archive_entry_sparse_next(entry, &offset, &length) == ARCHIVE_OK) {
    if (length > 0)
      extents.push_back({static_cast<uint64_t>(offset), static_cast<uint64_t>(length)});
  }
  return extents;
}

std::string text_or_empty(const char* text) { return text != nullptr ? text : ""; }

TarMember member_of(::archive_entry* entry) {
  const la_int64_t size = archive_entry_size(entry);
  if (size < 0) fail("the size is out of range");
  if (archive_entry_acl_types(entry) != 0) {
    throw Error(ErrorKind::kUnsupported, "the archive has access control lists in text form");
  }
  TarMember member{.name = text_or_empty(archive_entry_pathname(entry)),
                   .metadata = metadata_of(entry),
                   .size_bytes = static_cast<uint64_t>(size),
                   .data = std::nullopt,
                   .link_target = text_or_empty(archive_entry_symlink(entry)),
                   .hard_link = text_or_empty(archive_entry_hardlink(entry)),
                   .device = archive_entry_rdev(entry)};
  if (archive_entry_sparse_count(entry) > 0) member.data = extents_of(entry);
  return member;
}

}  // namespace

class TarReader::Implementation {
 public:
  explicit Implementation(Source source)
      : source_(std::move(source)),
        buffer_(kReadSize, '\0'),
        archive_(archive_read_new(), archive_read_free) {
    check(archive_read_support_format_tar(archive_.get()));
    check(archive_read_open(archive_.get(), this, nullptr, read_callback, nullptr));
  }

  std::optional<TarMember> next() {
    while (in_member_ && read()) {
    }
    in_header_ = true;
    header_begin_ = static_cast<uint64_t>(archive_filter_bytes(archive_.get(), 0));
    ::archive_entry* entry = nullptr;
    const int result = archive_read_next_header(archive_.get(), &entry);
    in_header_ = false;
    in_member_ = result == ARCHIVE_OK || result == ARCHIVE_WARN;
    if (result == ARCHIVE_EOF) return std::nullopt;
    if (result != ARCHIVE_WARN || !is_harmless_warning()) check(result);
    refuse_nul_in_headers(header_blocks());
    return member_of(entry);
  }

  std::optional<Block> read() {
    const void* data = nullptr;
    size_t size = 0;
    la_int64_t offset = 0;
    const int result = archive_read_data_block(archive_.get(), &data, &size, &offset);
    if (result == ARCHIVE_EOF) in_member_ = false;
    if (result == ARCHIVE_EOF) return std::nullopt;
    check(result);
    if (offset < 0) fail("the content has a negative offset");
    return Block{static_cast<uint64_t>(offset), {static_cast<const char*>(data), size}};
  }

  void finish() {
    const auto end_mark = static_cast<uint64_t>(archive_read_header_position(archive_.get()));
    while (fill() > 0 && total_ - end_mark <= kMaxZerosAtEnd) {
    }
    if (total_ - end_mark > kMaxZerosAtEnd) fail("the archive has something behind its end");
    if (total_ - end_mark < kEndMarkSize) fail("the archive is truncated");
    if (total_ - end_mark > zeros_at_end_) fail("the archive has something behind its end");
  }

 private:
  size_t fill() {
    const size_t got = source_(buffer_.data(), buffer_.size());
    const size_t last = std::string_view(buffer_.data(), got).find_last_not_of('\0');
    zeros_at_end_ = last == std::string_view::npos ? zeros_at_end_ + got : got - 1 - last;
    total_ += got;
    return got;
  }

  // Exceptions must not cross the C library: they wait in failure_.
  static la_ssize_t read_callback(::archive*, void* self, const void** data) noexcept {
    auto* reader = static_cast<Implementation*>(self);
    try {
      const size_t got = reader->fill();
      reader->remember(got);
      *data = reader->buffer_.data();
      return static_cast<la_ssize_t>(got);
    } catch (...) {
      reader->failure_ = std::current_exception();
      return -1;
    }
  }

  // Keeps the stream from where libarchive is on, or was when it began with the header that it is
  // reading, for header_blocks().
  void remember(size_t got) {
    const uint64_t needed_from =
        in_header_ ? header_begin_ : static_cast<uint64_t>(archive_filter_bytes(archive_.get(), 0));
    recent_.erase(0, needed_from - recent_start_);
    recent_start_ = needed_from;
    recent_.append(buffer_.data(), got);
  }

  // The blocks that libarchive read for the current member's header.
  std::string_view header_blocks() const {
    const auto start = static_cast<uint64_t>(archive_read_header_position(archive_.get()));
    const auto end = static_cast<uint64_t>(archive_filter_bytes(archive_.get(), 0));
    return std::string_view(recent_).substr(start - recent_start_, end - start);
  }

  // Names in UTF-8 that the C locale has no characters for, or that are no UTF-8 although the
  // archive says so, as Go writes them: libarchive then gives the bytes unchanged, as we want them.
  bool is_harmless_warning() const {
    const char* reason = archive_error_string(archive_.get());
    return reason != nullptr && std::string_view(reason).contains("can't be converted");
  }

  void check(int result) const {
    if (failure_) std::rethrow_exception(failure_);
    if (result == ARCHIVE_OK) return;
    const char* reason = archive_error_string(archive_.get());
    fail("it is not a sound tar archive: " + printable(reason ? reason : "unknown reason"));
  }

  Source source_;
  std::string buffer_;
  std::string recent_;
  uint64_t recent_start_ = 0;
  uint64_t total_ = 0;         // bytes read from the source
  uint64_t zeros_at_end_ = 0;  // how many of the last of them are zeros
  bool in_header_ = false;
  uint64_t header_begin_ = 0;  // or before it: what libarchive had consumed then
  bool in_member_ = false;
  std::exception_ptr failure_;
  std::unique_ptr<::archive, int (*)(::archive*)> archive_;
};

TarReader::TarReader(Source source)
    : implementation_(std::make_unique<Implementation>(std::move(source))) {}

TarReader::~TarReader() = default;

std::optional<TarMember> TarReader::next() { return implementation_->next(); }

std::optional<TarReader::Block> TarReader::read() { return implementation_->read(); }

void TarReader::finish() { implementation_->finish(); }

}  // namespace still::archive
