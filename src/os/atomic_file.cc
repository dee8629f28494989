#include "os/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "os/files.h"
#include "os/random.h"

namespace still {
namespace {

std::filesystem::path directory_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

[[noreturn]] void fail(int error_number, std::string_view what, const FilePlace& place) {
  throw Error::system(error_number, std::string(what) + " " + printable(place.path().native()));
}

// It does not contain the file's own name: that may already be as long as names can be.
std::string temporary_name(const std::string& key) {
  return ".still-" + (key.empty() ? hex(random_bytes(8)) : key);
}

// nullopt: the file system knows no files without a name. (EISDIR is a kernel's answer that does
// not know the flag.)
std::optional<Fd> make_unnamed(const FilePlace& place) {
  const int fd = ::openat(place.directory().get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return Fd(fd);
  if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL) return std::nullopt;
  fail(errno, "cannot create", place);
}

Fd make_named(const FilePlace& place, const std::string& name) {
  const int fd = ::openat(place.directory().get(), name.c_str(),
                          O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) fail(errno, "cannot create", place);
  return Fd(fd);
}

// temporary: set to the name that it has, if it has one.
Fd make(const FilePlace& place, const std::string& name, std::string& temporary) {
  if (auto unnamed = make_unnamed(place)) return std::move(*unnamed);
  Fd named = make_named(place, name);
  temporary = name;
  return named;
}

}  // namespace

FilePlace::FilePlace(std::filesystem::path path)
    : path_(std::move(path)), directory_(open_file(directory_of(path_), O_RDONLY | O_DIRECTORY)) {}

void FilePlace::check() const {
  const std::string directory = directory_of(path_);
  const struct stat held = stat_fd(directory_);
  struct stat there{};
  if (::stat(directory.c_str(), &there) != 0 || there.st_dev != held.st_dev ||
      there.st_ino != held.st_ino) {
    throw Error(ErrorKind::kConflict,
                formatted("the directory {} was renamed, replaced or removed meanwhile",
                          printable(directory)));
  }
  const auto present = stat_at(directory_, name());
  if (present && !S_ISREG(present->st_mode)) {
    throw Error(ErrorKind::kConflict,
                printable(path_.native()) + " exists and is not a regular file");
  }
}

std::filesystem::path AtomicFile::temporary_path(const std::filesystem::path& path,
                                                 const std::string& key) {
  return directory_of(path) / temporary_name(key);
}

AtomicFile::AtomicFile(std::shared_ptr<const FilePlace> place, mode_t mode, const std::string& key)
    : place_(std::move(place)),
      next_temporary_(temporary_name(key)),
      fd_(make(*place_, next_temporary_, temporary_)) {
  if (::fchmod(fd_.get(), mode) != 0) {
    const int error_number = errno;
    discard();
    fail(error_number, "cannot set the mode of", *place_);
  }
}

AtomicFile::AtomicFile(const std::filesystem::path& path, mode_t mode, const std::string& key)
    : AtomicFile(std::make_shared<const FilePlace>(path), mode, key) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : place_(std::move(other.place_)),
      temporary_(std::exchange(other.temporary_, {})),
      next_temporary_(std::move(other.next_temporary_)),
      fd_(std::move(other.fd_)) {}

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  if (this != &other) {
    discard();
    place_ = std::move(other.place_);
    temporary_ = std::exchange(other.temporary_, {});
    next_temporary_ = std::move(other.next_temporary_);
    fd_ = std::move(other.fd_);
  }
  return *this;
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::discard() noexcept {
  if (!temporary_.empty()) ::unlinkat(place_->directory().get(), temporary_.c_str(), 0);
  temporary_.clear();
}

// A link cannot replace what is there, so it is made beside that, and renamed.
void AtomicFile::give_name() {
  if (::linkat(fd_.get(), "", place_->directory().get(), next_temporary_.c_str(), AT_EMPTY_PATH) !=
      0) {
    fail(errno, "cannot create", *place_);
  }
  temporary_ = next_temporary_;
}

void AtomicFile::sync() const {
  if (::fsync(fd_.get()) != 0) fail(errno, "cannot sync", *place_);
}

void AtomicFile::commit() { rename(0); }

void AtomicFile::commit_new() { rename(RENAME_NOREPLACE); }

void AtomicFile::rename(unsigned flags) {
  sync();
  place_->check();
  if (temporary_.empty()) {
    give_name();
    sync();  // that it has a name is news to it
  }
  const int directory = place_->directory().get();
  if (::renameat2(directory, temporary_.c_str(), directory, place_->name().c_str(), flags) != 0) {
    const int error_number = errno;
    if (error_number == EEXIST) {
      throw Error(ErrorKind::kConflict, printable(place_->path().native()) + " exists already");
    }
    fail(error_number, "cannot rename to", *place_);
  }
  temporary_.clear();
  if (::fsync(directory) != 0) fail(errno, "cannot sync the directory of", *place_);
}

}  // namespace still
