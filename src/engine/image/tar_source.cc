#include "engine/image/tar_source.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/error.h"
#include "base/text.h"
#include "os/files.h"

namespace still::engine {
namespace {

constexpr size_t kBlockSize = size_t{256} << 10;
constexpr size_t kLargestMember = size_t{64} << 20;

class Archive {
 public:
  explicit Archive(const Fd& file, int (*format)(struct archive*))
      : handle_(::archive_read_new(), ::archive_read_free) {
    if (!handle_) throw Error(ErrorKind::kInternal, "libarchive cannot be used");
    check(::archive_read_support_filter_all(handle_.get()));
    check(format(handle_.get()));
    check(::archive_read_open_fd(handle_.get(), file.get(), kBlockSize));
  }

  // nullptr at the end.
  archive_entry* next() {
    archive_entry* entry = nullptr;
    const int status = ::archive_read_next_header(handle_.get(), &entry);
    if (status == ARCHIVE_EOF) return nullptr;
    check(status);
    return entry;
  }

  // 0 at the end of the member.
  size_t read(char* buffer, size_t size) {
    const auto got = ::archive_read_data(handle_.get(), buffer, size);
    if (got < 0) fail();
    return static_cast<size_t>(got);
  }

 private:
  // A warning is about names in another character set, or the like.
  void check(int status) {
    if (status < ARCHIVE_WARN) fail();
  }
  [[noreturn]] void fail() {
    const char* message = ::archive_error_string(handle_.get());
    throw Error(ErrorKind::kCorrupt, "cannot read the archive: " +
                                         printable(message != nullptr ? message : "unknown error"));
  }

  const std::unique_ptr<struct archive, int (*)(struct archive*)> handle_;
};

int formats_of_tar(struct archive* handle) {
  const int status = ::archive_read_support_format_tar(handle);
  return status < ARCHIVE_WARN ? status : ::archive_read_support_format_empty(handle);
}

int formats_raw(struct archive* handle) {
  const int status = ::archive_read_support_format_raw(handle);
  return status < ARCHIVE_WARN ? status : ::archive_read_support_format_empty(handle);
}

std::string read_member(Archive& archive) {
  std::string content;
  std::string block(kBlockSize, '\0');
  while (const size_t got = archive.read(block.data(), block.size())) {
    content.append(block, 0, got);
    if (content.size() > kLargestMember) {
      throw Error(ErrorKind::kCorrupt, "a member of the archive is larger than it can be");
    }
  }
  return content;
}

}  // namespace

archive::Source uncompressed(const Fd& file) {
  // The raw format takes what comes out of the filters as the content of one entry.
  auto archive = std::make_shared<Archive>(file, formats_raw);
  const bool has_data = archive->next() != nullptr;
  return [archive = std::move(archive), has_data](char* buffer, size_t size) {
    return has_data ? archive->read(buffer, size) : 0;
  };
}

void visit_tar_members(
    const Fd& file,
    const std::function<bool(const std::string& name, const std::function<std::string()>& content)>&
        visit) {
  Archive archive(file, formats_of_tar);
  while (archive_entry* entry = archive.next()) {
    const char* name = ::archive_entry_pathname(entry);
    if (name == nullptr || !S_ISREG(::archive_entry_filetype(entry))) continue;
    if (!visit(name, [&] { return read_member(archive); })) return;
  }
}

void visit_tar_names(const Fd& file, const std::function<void(const std::string& name)>& visit) {
  Archive archive(file, formats_of_tar);
  while (archive_entry* entry = archive.next()) {
    if (const char* name = ::archive_entry_pathname(entry)) visit(name);
  }
}

Fd spool_standard_input(const std::filesystem::path& path) {
  Fd file = open_file(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  std::string block(kBlockSize, '\0');
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, block.data(), block.size());
    if (got < 0 && errno != EINTR) throw Error::system(errno, "cannot read standard input");
    if (got == 0) break;
    if (got > 0) write_all(file, std::string_view(block).substr(0, static_cast<size_t>(got)));
  }
  if (::lseek(file.get(), 0, SEEK_SET) < 0) throw Error::system(errno, "cannot rewind a file");
  return file;
}

}  // namespace still::engine
