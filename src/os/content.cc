#include "os/content.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>

#include "base/error.h"

namespace still {
namespace {

constexpr size_t kBufferSize = size_t{1} << 20;

// lseek(2) with SEEK_DATA or SEEK_HOLE. nullopt where the file has no more of it (ENXIO) or the
// file system does not know (EINVAL).
std::optional<uint64_t> seek(const Fd& file, uint64_t offset, int whence) {
  const off_t found = ::lseek(file.get(), static_cast<off_t>(offset), whence);
  if (found >= 0) return static_cast<uint64_t>(found);
  if (errno == ENXIO || errno == EINVAL) return std::nullopt;
  throw Error::system(errno, "cannot look for holes");
}

bool cannot_copy_in_kernel(int error_number) {
  return error_number == EXDEV || error_number == EINVAL || error_number == EOPNOTSUPP ||
         error_number == ENOSYS || error_number == EPERM || error_number == EBADF;
}

// As much as copy_file_range(2) does; the caller carries on where it stopped.
uint64_t copy_in_kernel(const Fd& source, off_t source_offset, const Fd& target,
                        off_t target_offset, uint64_t length) {
  uint64_t done = 0;
  while (done < length) {
    const ssize_t copied = ::copy_file_range(source.get(), &source_offset, target.get(),
                                             &target_offset, length - done, 0);
    if (copied < 0 && errno == EINTR) continue;
    if (copied < 0 && !cannot_copy_in_kernel(errno)) throw Error::system(errno, "cannot copy");
    if (copied <= 0) break;
    done += static_cast<uint64_t>(copied);
  }
  return done;
}

uint64_t copy_by_hand(const Fd& source, uint64_t source_offset, const Fd& target,
                      uint64_t target_offset, uint64_t length) {
  if (length == 0) return 0;
  std::string buffer(std::min<uint64_t>(length, kBufferSize), '\0');
  uint64_t done = 0;
  while (done < length) {
    const size_t size = std::min<uint64_t>(buffer.size(), length - done);
    const size_t got = read_at(source, buffer.data(), size, source_offset + done);
    write_at(target, {buffer.data(), got}, target_offset + done);
    done += got;
    if (got < size) break;
  }
  return done;
}

}  // namespace

std::vector<Extent> data_extents(const Fd& file, uint64_t size_bytes) {
  std::vector<Extent> extents;
  uint64_t position = 0;
  while (position < size_bytes) {
    const auto data = seek(file, position, SEEK_DATA);
    // EINVAL and ENXIO look alike here; only a file system that knows holes has one at the start.
    if (!data && !seek(file, position, SEEK_HOLE)) return {{0, size_bytes}};
    if (!data || *data >= size_bytes) break;
    const uint64_t hole = seek(file, *data, SEEK_HOLE).value_or(size_bytes);
    const uint64_t end = std::min(hole, size_bytes);
    extents.push_back({*data, end - *data});
    position = end;
  }
  return extents;
}

uint64_t copy_range(const Fd& source, uint64_t source_offset, const Fd& target,
                    uint64_t target_offset, uint64_t length) {
  const uint64_t in_kernel = copy_in_kernel(source, static_cast<off_t>(source_offset), target,
                                            static_cast<off_t>(target_offset), length);
  // Some file systems report an early end where read(2) still finds data: it has the last word.
  return in_kernel + copy_by_hand(source, source_offset + in_kernel, target,
                                  target_offset + in_kernel, length - in_kernel);
}

size_t read_at(const Fd& file, char* data, size_t size, uint64_t offset, std::string_view failure) {
  size_t done = 0;
  while (done < size) {
    const ssize_t got =
        ::pread(file.get(), data + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Error::system(errno, std::string(failure));
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

void write_at(const Fd& file, std::string_view data, uint64_t offset, std::string_view failure) {
  while (!data.empty()) {
    const ssize_t written =
        ::pwrite(file.get(), data.data(), data.size(), static_cast<off_t>(offset));
    if (written == 0 || (written < 0 && errno != EINTR)) {
      throw Error::system(written < 0 ? errno : EIO, std::string(failure));
    }
    const auto step = static_cast<size_t>(std::max<ssize_t>(written, 0));
    data.remove_prefix(step);
    offset += step;
  }
}

bool punch_hole(const Fd& file, const Extent& range) {
  if (::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  static_cast<off_t>(range.offset), static_cast<off_t>(range.length)) == 0) {
    return true;
  }
  if (errno == EOPNOTSUPP) return false;
  throw Error::system(errno, "cannot make a hole");
}

}  // namespace still
