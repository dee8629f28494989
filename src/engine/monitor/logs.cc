#include "engine/monitor/logs.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <string_view>

#include "base/error.h"
#include "engine/monitor/log_line.h"
#include "os/files.h"

namespace still::engine {
namespace {

constexpr size_t kReadSize = size_t{64} << 10;
// How often to ask whether the container still runs while nothing is written.
constexpr int kCheckMilliseconds = 200;

// Hands out the complete lines of a file that may still grow.
class LineReader {
 public:
  explicit LineReader(const Fd& file) : file_(file) {}

  // nullopt: no complete line for now. The view is valid until the next call.
  std::optional<std::string_view> next() {
    for (;;) {
      const size_t end = buffer_.find('\n', begin_);
      if (end != std::string::npos) {
        const std::string_view line = std::string_view(buffer_).substr(begin_, end - begin_);
        begin_ = end + 1;
        return line;
      }
      if (!read_more()) return std::nullopt;
    }
  }

 private:
  bool read_more() {
    buffer_.erase(0, begin_);
    begin_ = 0;
    const size_t old_size = buffer_.size();
    buffer_.resize(old_size + kReadSize);
    ssize_t got = 0;
    do {
      got = ::read(file_.get(), buffer_.data() + old_size, kReadSize);
    } while (got < 0 && errno == EINTR);
    if (got < 0) throw Error::system(errno, "cannot read the log");
    buffer_.resize(old_size + static_cast<size_t>(got));
    return got > 0;
  }

  const Fd& file_;
  std::string buffer_;
  size_t begin_ = 0;
};

// Where the last `count` lines of the container's output begin. A line that conmon had to split
// into parts counts once.
off_t start_of_tail(const Fd& file, uint64_t count) {
  std::deque<off_t> starts;
  off_t offset = 0;
  bool inside = false;
  LineReader reader(file);
  while (const auto text = reader.next()) {
    if (!inside) starts.push_back(offset);
    if (starts.size() > count) starts.pop_front();
    offset += static_cast<off_t>(text->size()) + 1;
    const auto line = parse_log_line(*text);
    inside = line && line->partial;
  }
  return starts.empty() ? offset : starts.front();
}

class Printer {
 public:
  Printer(const LogOptions& options, const Fd& output, const Fd& errors)
      : options_(options), output_(output), errors_(errors) {}

  void print(std::string_view text) {
    const auto line = parse_log_line(text);
    if (!line) return;  // not conmon's: a crash of the machine can leave garbage
    std::string result;
    if (options_.timestamps && !inside_) result = std::string(line->time) + " ";
    result += line->text;
    if (!line->partial) result += '\n';
    inside_ = line->partial;
    write_all(line->from_stderr ? errors_ : output_, result);
  }

 private:
  const LogOptions& options_;
  const Fd& output_;
  const Fd& errors_;
  bool inside_ = false;
};

Fd watch(const std::filesystem::path& log) {
  const int fd = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (fd < 0) throw Error::system(errno, "cannot watch the log");
  Fd watch(fd);
  if (::inotify_add_watch(fd, log.c_str(), IN_MODIFY) < 0) {
    throw Error::system(errno, "cannot watch " + log.native());
  }
  return watch;
}

void wait_for_change(const Fd& watch) {
  pollfd source{watch.get(), POLLIN, 0};
  if (::poll(&source, 1, kCheckMilliseconds) <= 0) return;
  char events[4096];
  [[maybe_unused]] const ssize_t got = ::read(watch.get(), events, sizeof events);
}

}  // namespace

void print_log(const std::filesystem::path& log, const LogOptions& options, const Fd& output,
               const Fd& errors, const std::function<bool()>& still_running) {
  const auto file = open_if_exists(log, O_RDONLY);
  if (!file) return;  // a container that never ran, or with --log-driver none
  if (options.tail) ::lseek(file->get(), start_of_tail(*file, *options.tail), SEEK_SET);
  std::optional<Fd> changes;
  if (still_running) changes = watch(log);

  LineReader reader(*file);
  Printer printer(options, output, errors);
  for (;;) {
    // Asked before reading: what was written until the end is then all there.
    const bool more = still_running && still_running();
    while (const auto line = reader.next()) printer.print(*line);
    if (!more) return;
    wait_for_change(*changes);
  }
}

}  // namespace still::engine
