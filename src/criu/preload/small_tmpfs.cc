// Preloaded into CRIU alone. The content of each tmpfs is written by a tar that CRIU starts, which
// starts a shell, which starts gzip: 4 ms and more while the container stands still, and every
// container has several that are empty (masked directories) or hold little (/dev). Here CRIU's
// child writes the same archive itself, where the content is small and plain; else tar does.
// (CRIU 4.1.1: tmpfs_dump() in criu/filesystems.c.)

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdio>
#include <cstring>
#include <span>

#include "criu/preload/preload.h"

namespace {

constexpr size_t kBlock = 512;
constexpr size_t kMostBytes = size_t{256} << 10;  // of the archive, before it is compressed
constexpr off_t kLargestFile = off_t{64} << 10;
constexpr int kMostLevels = 8;

// POSIX.1-1988, "ustar".
struct Header {
  char name[100];
  char mode[8], uid[8], gid[8];
  char size[12], mtime[12];
  char checksum[8];
  char type;
  char link[100];
  char magic[8];
  char user[32], group[32];
  char major[8], minor[8];
  char prefix[155], padding[12];
};
static_assert(sizeof(Header) == kBlock);

// No time of last access says that it was read.
constexpr int kQuietly = O_RDONLY | O_NOATIME | O_CLOEXEC;

// An archive in memory. Whatever does not fit makes it useless.
class Archive {
 public:
  bool add_tree(int directory, const char* name, int levels);
  bool write_compressed(int to);

 private:
  char* take(size_t bytes);
  bool add_entry(int parent, const char* name, const char* path, const struct stat& status,
                 int levels);
  bool add_header(const char* path, const struct stat& status, char type, const char* link);
  bool add_content(int parent, const char* name, size_t size);

  char bytes_[kMostBytes] = {};
  size_t used_ = 0;
  dev_t file_system_ = 0;
};

// In octal, the whole field but for a null.
bool put_number(std::span<char> field, unsigned long long number) {
  const auto digits = static_cast<int>(field.size() - 1);
  return std::snprintf(field.data(), field.size(), "%0*llo", digits, number) == digits;
}

bool put_text(char (&field)[100], const char* text) {
  const size_t length = std::strlen(text);
  if (length >= sizeof field) return false;
  std::memcpy(field, text, length);
  return true;
}

char* Archive::take(size_t bytes) {
  const size_t blocks = (bytes + kBlock - 1) / kBlock * kBlock;
  if (used_ + blocks > sizeof bytes_) return nullptr;
  char* place = bytes_ + used_;
  used_ += blocks;
  return place;
}

bool Archive::add_header(const char* path, const struct stat& status, char type, const char* link) {
  char* place = take(kBlock);
  if (place == nullptr) return false;
  auto* header = reinterpret_cast<Header*>(place);
  std::memcpy(header->magic, "ustar\00000", sizeof header->magic);
  header->type = type;
  const bool is_file = type == '0';
  const bool is_device = type == '3' || type == '4';
  const bool fits =
      put_text(header->name, path) && put_text(header->link, link) &&
      put_number(header->mode, status.st_mode & 07777) && put_number(header->uid, status.st_uid) &&
      put_number(header->gid, status.st_gid) &&
      put_number(header->size, is_file ? static_cast<unsigned long long>(status.st_size) : 0) &&
      put_number(header->mtime, static_cast<unsigned long long>(status.st_mtim.tv_sec)) &&
      put_number(header->major, is_device ? major(status.st_rdev) : 0) &&
      put_number(header->minor, is_device ? minor(status.st_rdev) : 0);
  // The sum of all bytes, those of its own field as spaces: six digits, a null, a space.
  std::memset(header->checksum, ' ', sizeof header->checksum);
  unsigned sum = 0;
  for (size_t i = 0; i < kBlock; ++i) sum += static_cast<unsigned char>(place[i]);
  std::snprintf(header->checksum, sizeof header->checksum - 1, "%06o", sum);
  return fits;
}

bool Archive::add_content(int parent, const char* name, size_t size) {
  char* place = take(size);
  const int file = ::openat(parent, name, kQuietly | O_NOFOLLOW);
  if (file < 0) return false;
  const bool whole = place != nullptr && ::read(file, place, size) == static_cast<ssize_t>(size);
  ::close(file);
  return whole;
}

bool Archive::add_entry(int parent, const char* name, const char* path, const struct stat& status,
                        int levels) {
  if (status.st_dev != file_system_) return false;
  switch (status.st_mode & S_IFMT) {
    case S_IFDIR: {
      const int directory = ::openat(parent, name, kQuietly | O_DIRECTORY | O_NOFOLLOW);
      return directory >= 0 && add_tree(directory, path, levels - 1);
    }
    case S_IFLNK: {
      char link[kPathSize];
      const ssize_t length = ::readlinkat(parent, name, link, sizeof link - 1);
      if (length < 0 || status.st_nlink > 1) return false;
      link[length] = '\0';
      return add_header(path, status, '2', link);
    }
    case S_IFCHR:
      return status.st_nlink == 1 && add_header(path, status, '3', "");
    case S_IFBLK:
      return status.st_nlink == 1 && add_header(path, status, '4', "");
    case S_IFREG:
      return status.st_nlink == 1 && status.st_size <= kLargestFile &&
             add_header(path, status, '0', "") &&
             add_content(parent, name, static_cast<size_t>(status.st_size));
    default:  // tar has its ways with sockets and pipes
      return false;
  }
}

// Closes the directory.
bool Archive::add_tree(int directory, const char* name, int levels) {
  char path[kPathSize];
  struct stat status;
  if (levels == 0 || ::fstat(directory, &status) != 0) return false;
  if (used_ == 0) file_system_ = status.st_dev;
  std::snprintf(path, sizeof path, "%s/", name);
  if (!add_header(path, status, '5', "")) return false;
  DIR* entries = ::fdopendir(directory);
  if (entries == nullptr) return false;
  bool all = true;
  while (const dirent* entry = all ? ::readdir(entries) : nullptr) {
    if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
    const int length = std::snprintf(path, sizeof path, "%s/%s", name, entry->d_name);
    all = length < static_cast<int>(sizeof path) &&
          ::fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
          add_entry(directory, entry->d_name, path, status, levels);
  }
  ::closedir(entries);
  return all;
}

bool Archive::write_compressed(int to) {
  if (take(2 * kBlock) == nullptr) return false;  // the end
  static unsigned char compressed[kMostBytes + (kMostBytes >> 3)];
  z_stream stream = {};
  constexpr int kGzip = 15 + 16;
  if (::deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    return false;
  }
  stream.next_in = reinterpret_cast<unsigned char*>(bytes_);
  stream.avail_in = static_cast<unsigned>(used_);
  stream.next_out = compressed;
  stream.avail_out = sizeof compressed;
  const bool complete = ::deflate(&stream, Z_FINISH) == Z_STREAM_END;
  const size_t size = stream.total_out;
  ::deflateEnd(&stream);
  return complete && ::write(to, compressed, size) == static_cast<ssize_t>(size);
}

// The command of tmpfs_dump(): the content of the directory that is its standard input, to its
// standard output.
bool archives_a_tmpfs(const char* file, char* const* arguments) {
  constexpr const char* kDirectory = "/proc/self/fd/0";
  if (std::strcmp(file, "tar") != 0) return false;
  bool creates = false;
  bool compresses = false;
  bool is_directory = false;
  for (; *arguments != nullptr; ++arguments) {
    creates |= std::strcmp(*arguments, "--create") == 0;
    compresses |= std::strcmp(*arguments, "--gzip") == 0;
    is_directory |= std::strcmp(*arguments, kDirectory) == 0;
  }
  return creates && compresses && is_directory;
}

// tar's name and arguments, and one more, so that no time says that a file was read. Returns them
// as they are where there is no room.
char* const* with_quiet_reading(char* const* arguments) {
  constexpr size_t kMost = 64;
  static char* more[kMost];
  static char quietly[] = "--atime-preserve=system";
  size_t count = 0;
  while (arguments[count] != nullptr) ++count;
  if (count + 2 > kMost) return arguments;
  more[0] = arguments[0];
  more[1] = quietly;
  for (size_t i = 0; i < count; ++i) more[i + 2] = arguments[i + 1];
  return more;
}

}  // namespace

EXPORTED int execvp(const char* file, char* const* arguments) noexcept {
  static Archive archive;
  if (archives_a_tmpfs(file, arguments)) {
    const int directory = ::openat(STDIN_FILENO, ".", kQuietly | O_DIRECTORY);
    if (directory >= 0 && archive.add_tree(directory, ".", kMostLevels)) {
      ::_exit(archive.write_compressed(STDOUT_FILENO) ? 0 : 1);
    }
    arguments = with_quiet_reading(arguments);
  }
  using Function = int(const char*, char* const*);
  auto* next = reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, "execvp"));
  return next(file, arguments);
}
