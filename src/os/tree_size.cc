#include "os/tree_size.h"

#include <sys/stat.h>

namespace still {
namespace {

uint64_t size_of_file(const std::filesystem::path& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return 0;
  return static_cast<uint64_t>(status.st_size);
}

}  // namespace

uint64_t tree_size(const std::filesystem::path& path) {
  uint64_t bytes = size_of_file(path);
  std::error_code gone;
  std::filesystem::recursive_directory_iterator entry(path, gone);
  while (!gone && entry != std::filesystem::recursive_directory_iterator()) {
    bytes += size_of_file(entry->path());
    entry.increment(gone);
  }
  return bytes;
}

}  // namespace still
