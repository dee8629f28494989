// What the fuzz targets share. A target is the body of a function that gets some bytes; Error is
// what bad input is expected to end with, anything else is a finding.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"
#include "os/fd.h"
#include "os/files.h"
#include "os/temp_dir.h"

namespace still::fuzz {

// The target, one in each program.
void run(std::string_view input);

// Ends the run as a finding.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::abort();
}

// The input as a file that has a path.
class InputFile {
 public:
  explicit InputFile(std::string_view content) : fd_(::memfd_create("input", MFD_CLOEXEC)) {
    write_all(fd_, content);
    ::lseek(fd_.get(), 0, SEEK_SET);
  }
  const Fd& fd() const { return fd_; }
  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(fd_.get()); }

 private:
  Fd fd_;
};

inline void write_file(const std::filesystem::path& path, std::string_view content) {
  write_all(open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0600), content);
}

// A private directory in memory.
inline TempDir make_directory_in_memory() { return TempDir("/dev/shm", "still-fuzz-"); }

}  // namespace still::fuzz
