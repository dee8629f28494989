#include "checkpoint/runtime_watch.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <format>
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "os/files.h"
#include "os/priority.h"

namespace still::checkpoint {
namespace {

constexpr std::chrono::milliseconds kAskInterval{200};

Fd make_memory_file() {
  const int fd = ::memfd_create("runtime-errors", MFD_CLOEXEC);
  if (fd < 0) throw Error::system(errno, "cannot make a memory file");
  return Fd(fd);
}

Child start_captured(Command command, const Fd& errors) {
  command.own_process_group = true;
  command.descriptors[errors.get()] = STDERR_FILENO;
  return Child::start(command);
}

// Whether a tracer (CRIU) holds the process. All tasks of a container are held together.
bool is_traced(pid_t pid) {
  const auto status = read_file_if_exists(std::format("/proc/{}/status", pid));
  if (!status) return false;
  const size_t at = status->find("\nTracerPid:");
  if (at == std::string::npos) return false;
  return trim(split(status->substr(at + 11), '\n')[0]) != "0";
}

std::string read_back(const Fd& file) {
  ::lseek(file.get(), 0, SEEK_SET);
  return read_all(file);
}

}  // namespace

RuntimeWatch::RuntimeWatch(Command command, pid_t container_init,
                           std::chrono::nanoseconds hang_timeout)
    : container_init_(container_init),
      hang_timeout_(hang_timeout),
      errors_(make_memory_file()),
      program_(command.arguments[0]),
      child_(start_captured(std::move(command), errors_)) {
  // CRIU inherits it. What captures the trees meanwhile needs less time, and takes what is left.
  raise_priority(child_.pid());
}

RuntimeWatch::~RuntimeWatch() {
  try {
    finish();
  } catch (const Error& error) {
    warn(error.message());
  }
}

void RuntimeWatch::wait() {
  const ExitStatus status = finish();
  if (hung_) {
    throw Error(ErrorKind::kTimeout,
                std::format("{} did nothing for {} and was ended; the container is unharmed",
                            program_, human_duration(hang_timeout_)),
                "look for what the runtime waits for, or raise --runtime-timeout");
  }
  if (status.ok()) return;
  std::string message = std::format("{} checkpoint failed ({})", program_, status.describe());
  if (const std::string line = last_line(read_back(errors_)); !line.empty()) {
    message += ": " + line;
  }
  throw Error(ErrorKind::kRuntime, message);
}

ExitStatus RuntimeWatch::finish() {
  Deadline hung_at = deadline_in(hang_timeout_);
  for (;;) {
    if (const auto status = child_.wait_until(deadline_in(kAskInterval))) return *status;
    if (is_traced(container_init_)) hung_at = deadline_in(hang_timeout_);
    if (std::chrono::steady_clock::now() >= hung_at && end_hung_group()) return child_.wait();
  }
}

bool RuntimeWatch::end_hung_group() {
  // Stopped first: CRIU must not seize the container between the question and the kill.
  ::kill(-child_.pid(), SIGSTOP);
  hung_ = !is_traced(container_init_);
  ::kill(-child_.pid(), hung_ ? SIGKILL : SIGCONT);
  return hung_;
}

}  // namespace still::checkpoint
