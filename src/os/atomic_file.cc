#include "os/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "os/files.h"

namespace still {
namespace {

std::filesystem::path directory_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

[[noreturn]] void fail(int error_number, std::string_view what, const std::filesystem::path& path) {
  throw Error::system(error_number, std::string(what) + " " + printable(path.native()));
}

Fd make_random(std::filesystem::path& path, const std::filesystem::path& target) {
  std::string name = AtomicFile::temporary_path(target, "XXXXXX");
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) fail(errno, "cannot create", target);
  path = name;
  return Fd(fd);
}

Fd make_temporary(std::filesystem::path& path, const std::filesystem::path& target,
                  const std::string& key) {
  if (key.empty()) return make_random(path, target);
  path = AtomicFile::temporary_path(target, key);
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) fail(errno, "cannot create", target);
  return Fd(fd);
}

}  // namespace

// The name does not contain the target's: that may already be as long as names can be.
std::filesystem::path AtomicFile::temporary_path(const std::filesystem::path& target,
                                                 const std::string& key) {
  return directory_of(target) / (".still-" + key);
}

AtomicFile::AtomicFile(std::filesystem::path target, mode_t mode, const std::string& key)
    : target_(std::move(target)), fd_(make_temporary(temporary_, target_, key)) {
  if (::fchmod(fd_.get(), mode) != 0) {
    const int error_number = errno;
    discard();
    fail(error_number, "cannot set the mode of", target_);
  }
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::move(other.fd_)) {}

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  if (this != &other) {
    discard();
    target_ = std::move(other.target_);
    temporary_ = std::exchange(other.temporary_, {});
    fd_ = std::move(other.fd_);
  }
  return *this;
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::discard() noexcept {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

void AtomicFile::commit() {
  if (::fsync(fd_.get()) != 0) fail(errno, "cannot sync", target_);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail(errno, "cannot rename to", target_);
  temporary_.clear();
  sync_directory(directory_of(target_));
}

}  // namespace still
