#include "checkpoint/written.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

extern "C" {  // glibc 2.41 forgets to say so
#include <sys/pidfd.h>
}

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/format.h"
#include "base/text.h"
#include "os/fd.h"
#include "os/proc_entries.h"
#include "os/process.h"

namespace still::checkpoint {
namespace {

constexpr uint64_t kBlock = 512;  // of st_blocks

class Collector {
 public:
  explicit Collector(const cut::CopiedBefore* copied_before) : copied_before_(copied_before) {}

  void look_at(pid_t pid) {
    const auto process = open_pidfd(pid);
    if (!process) return;
    for_each_proc_entry(formatted("/proc/{}/fd", pid), [&](const std::string& path) {
      const auto status = status_of(path);
      if (!status || !is_new(*status)) return;
      if (S_ISFIFO(status->st_mode)) add_pipe(*process, path);
      if (S_ISREG(status->st_mode)) add_file(path, *status);
    });
    for_each_proc_entry(formatted("/proc/{}/map_files", pid), [&](const std::string& path) {
      const auto status = status_of(path);
      if (status && is_new(*status) && S_ISREG(status->st_mode)) add_file(path, *status);
    });
  }

  const Written& written() const { return written_; }

 private:
  static std::optional<struct stat> status_of(const std::string& path) {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 ? std::optional(status) : std::nullopt;
  }

  bool is_new(const struct stat& status) {
    return seen_.emplace(status.st_dev, status.st_ino).second;
  }

  void add_file(const std::string& path, const struct stat& status) {
    if (status.st_nlink > 0) return;
    const uint64_t bytes = static_cast<uint64_t>(status.st_blocks) * kBlock;
    if (cut::is_shared_memory(path)) {
      written_.shared_memory_bytes += bytes;
    } else if (copied_before_ != nullptr && copied_before_->is_one(path, status)) {
      written_.copied_before_bytes += bytes;
    } else {
      written_.deleted_file_bytes += bytes;
    }
  }

  // Opened anew a pipe would have one more end for a moment.
  void add_pipe(const Fd& process, const std::string& path) {
    const auto number = parse_integer(std::filesystem::path(path).filename().native());
    if (!number) return;
    const int copy = ::pidfd_getfd(process.get(), static_cast<int>(*number), 0);
    if (copy < 0) return;
    const Fd pipe(copy);
    int bytes = 0;
    if (::ioctl(pipe.get(), FIONREAD, &bytes) == 0 && bytes > 0) {
      written_.pipe_bytes += static_cast<uint64_t>(bytes);
    }
  }

  const cut::CopiedBefore* const copied_before_;
  Written written_;
  std::set<std::pair<dev_t, ino_t>> seen_;
};

}  // namespace

Written written_by_criu(const std::vector<pid_t>& processes,
                        const cut::CopiedBefore* copied_before) {
  Collector collector(copied_before);
  for (const pid_t pid : processes) collector.look_at(pid);
  return collector.written();
}

}  // namespace still::checkpoint
