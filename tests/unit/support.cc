#include "support.h"

#include <fcntl.h>

#include "os/files.h"
#include "os/inode_flags.h"

namespace still::test {

std::filesystem::path Scratch::make(const std::string& name) const {
  make_directories(path() / name);
  return path() / name;
}

DescriptorLimit::DescriptorLimit(unsigned limit) {
  ::getrlimit(RLIMIT_NOFILE, &before_);
  rlimit lowered = before_;
  lowered.rlim_cur = limit;
  ::setrlimit(RLIMIT_NOFILE, &lowered);
}

Fd open_dir(const std::filesystem::path& path) { return open_file(path, O_RDONLY | O_DIRECTORY); }

uint32_t flags_of(const std::filesystem::path& path) {
  return read_inode_flags(open_file(path, O_PATH | O_NOFOLLOW));
}

bool set_flags(const std::filesystem::path& path, uint32_t flags) {
  return write_inode_flags(open_file(path, O_RDONLY | O_NOFOLLOW), flags);
}

void write_text(const std::filesystem::path& path, std::string_view text) {
  write_all(open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0644), text);
}

}  // namespace still::test
