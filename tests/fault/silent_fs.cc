// A file system that does not answer: silent_fs MOUNTPOINT. It has one file, "answer", and whoever
// reads it sleeps in the kernel for as long as this program runs.

#define FUSE_USE_VERSION 31
#include <fuse.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace {

int get_status(const char* path, struct stat* status, fuse_file_info*) {
  *status = {};
  if (std::string_view(path) == "/") {
    status->st_mode = S_IFDIR | 0755;
    status->st_nlink = 2;
    return 0;
  }
  if (std::string_view(path) != "/answer") return -ENOENT;
  status->st_mode = S_IFREG | 0444;
  status->st_nlink = 1;
  status->st_size = 1;
  return 0;
}

int never_read(const char*, char*, size_t, off_t, fuse_file_info*) {
  for (;;) ::pause();
}

}  // namespace

int main(int argc, char** argv) {
  fuse_operations operations{};
  operations.getattr = get_status;
  operations.read = never_read;
  return ::fuse_main(argc, argv, &operations, nullptr);
}
