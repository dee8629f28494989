#include "tree/entry.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "os/content.h"
#include "os/files.h"
#include "os/parallel.h"

namespace still::tree {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kBuffer = size_t{128} << 10;  // two of them fit a processor's cache
// What one thread copies or compares at a time.
constexpr uint64_t kPiece = uint64_t{8} << 20;

void set_size(const Fd& target, uint64_t size_bytes) {
  if (::ftruncate(target.get(), static_cast<off_t>(size_bytes)) != 0) {
    throw Error::system(errno, "cannot set the size");
  }
}

void make_hole(const Fd& target, const Extent& hole) {
  if (hole.length == 0 || punch_hole(target, hole)) return;
  const std::string zeros(kBuffer, '\0');
  for (uint64_t done = 0; done < hole.length; done += zeros.size()) {
    const size_t size = std::min<uint64_t>(zeros.size(), hole.length - done);
    write_at(target, std::string_view(zeros).substr(0, size), hole.offset + done);
  }
}

// Writes those pages of `wanted` that differ from `present`, neighbours in one call.
void write_differences(const Fd& target, uint64_t offset, std::string_view wanted,
                       std::string_view present) {
  const auto differs = [&](size_t at) {
    const size_t size = std::min(kPage, wanted.size() - at);
    return present.size() < at + size ||
           std::memcmp(wanted.data() + at, present.data() + at, size) != 0;
  };
  for (size_t at = 0; at < wanted.size(); at += kPage) {
    if (!differs(at)) continue;
    size_t end = at + kPage;
    while (end < wanted.size() && differs(end)) end += kPage;
    end = std::min(end, wanted.size());
    write_at(target, wanted.substr(at, end - at), offset + at);
    at = end;  // not different, or the end
  }
}

void update_piece(const Fd& source, const Fd& target, const Extent& piece) {
  std::string wanted(kBuffer, '\0');
  std::string present(kBuffer, '\0');
  for (uint64_t done = 0; done < piece.length;) {
    const size_t size = std::min<uint64_t>(kBuffer, piece.length - done);
    const size_t got = read_at(source, wanted.data(), size, piece.offset + done);
    const size_t had = read_at(target, present.data(), got, piece.offset + done);
    if (got != had || std::memcmp(wanted.data(), present.data(), got) != 0) {
      write_differences(target, piece.offset + done, {wanted.data(), got}, {present.data(), had});
    }
    if (got < size) break;
    done += size;
  }
}

std::vector<Extent> cut_into_pieces(const std::vector<Extent>& extents) {
  std::vector<Extent> pieces;
  for (const Extent& extent : extents) {
    for (uint64_t done = 0; done < extent.length; done += kPiece) {
      pieces.push_back({extent.offset + done, std::min(kPiece, extent.length - done)});
    }
  }
  return pieces;
}

void make_holes_between(const Fd& target, const std::vector<Extent>& extents, uint64_t size_bytes) {
  uint64_t position = 0;
  for (const Extent& extent : extents) {
    make_hole(target, {position, extent.offset - position});
    position = extent.offset + extent.length;
  }
  make_hole(target, {position, size_bytes - position});
}

}  // namespace

void CopyMonitor::add(uint64_t bytes) {
  bytes_ += bytes;
  check();
}

void CopyMonitor::check() const {
  if (stop_.stop_requested()) throw Error(ErrorKind::kInterrupted, "the copy was stopped");
}

std::optional<Fd> open_content(const Fd& directory, const std::string& name) {
  auto file = open_at_if_exists(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME);
  if (file && !S_ISREG(stat_fd(*file).st_mode)) {
    throw Error(ErrorKind::kConflict, "the entry changed its kind while it was read");
  }
  return file;
}

uint64_t copy_content(const Fd& source, const Fd& target, uint64_t size_bytes,
                      CopyMonitor* monitor) {
  uint64_t bytes = 0;
  for (const Extent& piece : cut_into_pieces(data_extents(source, size_bytes))) {
    bytes += copy_range(source, piece.offset, target, piece.offset, piece.length);
    if (monitor != nullptr) monitor->add(piece.length);
  }
  set_size(target, size_bytes);
  return bytes;
}

uint64_t update_content(const Fd& source, const Fd& target, uint64_t size_bytes, unsigned threads,
                        CopyMonitor& monitor) {
  set_size(target, size_bytes);
  const std::vector<Extent> extents = data_extents(source, size_bytes);
  make_holes_between(target, extents, size_bytes);
  const std::vector<Extent> pieces = cut_into_pieces(extents);
  parallel_for(pieces.size(), 1, threads, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      update_piece(source, target, pieces[i]);
      monitor.add(pieces[i].length);
    }
  });
  uint64_t bytes = 0;
  for (const Extent& extent : extents) bytes += extent.length;
  return bytes;
}

void write_back(const Fd& file) {
  if (::sync_file_range(
          file.get(), 0, 0,
          SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) != 0) {
    throw Error::system(errno, "cannot write dirty pages back");
  }
}

void make_special(const Fd& directory, const std::string& name, const Fd& source) {
  const struct stat status = stat_fd(source);
  const int result =
      S_ISLNK(status.st_mode)
          ? ::symlinkat(read_link_at(source, "").c_str(), directory.get(), name.c_str())
          : ::mknodat(directory.get(), name.c_str(), (status.st_mode & S_IFMT) | 0600,
                      status.st_rdev);
  if (result != 0) throw Error::system(errno, "cannot make a copy");
}

}  // namespace still::tree
