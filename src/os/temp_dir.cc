#include "os/temp_dir.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "os/files.h"

namespace still {

TempDir::TempDir(const std::filesystem::path& parent, std::string_view prefix) {
  std::string pattern = (parent / prefix).native() + "XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw Error::system(errno, "cannot make a temporary directory in " + parent.native());
  }
  path_ = pattern;
}

TempDir::TempDir(std::filesystem::path path) : path_(std::move(path)) {
  if (::mkdir(path_.c_str(), 0700) != 0) {
    throw Error::system(errno, "cannot make the directory " + path_.native());
  }
}

TempDir::TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}

TempDir::~TempDir() {
  try {
    remove();
  } catch (const Error& error) {
    warn(error.message());
  }
}

void TempDir::remove() {
  if (!path_.empty()) remove_tree(std::exchange(path_, {}));
}

std::filesystem::path TempDir::keep() { return std::exchange(path_, {}); }

}  // namespace still
