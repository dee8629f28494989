#include "cut/runtime_watch.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "base/text.h"
#include "oci/runtime_group.h"
#include "os/files.h"
#include "os/limits.h"
#include "os/priority.h"

namespace still::cut {
namespace {

Fd make_memory_file() {
  const int fd = ::memfd_create("runtime-errors", MFD_CLOEXEC);
  if (fd < 0) throw Error::system(errno, "cannot make a memory file");
  return Fd(fd);
}

HeldChild prepare(Command command, const Fd& errors) {
  command.own_process_group = true;
  command.descriptors[errors.get()] = STDERR_FILENO;
  return HeldChild::prepare(command);
}

std::string read_back(const Fd& file) {
  ::lseek(file.get(), 0, SEEK_SET);
  return read_all(file);
}

}  // namespace

HeldRuntime::HeldRuntime(std::string name, Command command)
    : errors_(make_memory_file()),
      name_(std::move(name)),
      child_(prepare(std::move(command), errors_)) {
  // CRIU inherits both. What captures the trees meanwhile needs less time, and takes what is left.
  raise_priority(child_.pid());
  // The kernel would end CRIU while it holds the container.
  if (const std::string limit = lift_deadly_limits(child_.pid()); !limit.empty()) {
    throw Error(
        ErrorKind::kUnsupported,
        "there is a limit on " + limit + " which CRIU could come to while it holds the container",
        "run Still without that limit");
  }
}

RuntimeWatch::RuntimeWatch(HeldRuntime held, pid_t container_init,
                           std::chrono::nanoseconds hang_timeout)
    : container_init_(container_init),
      hang_timeout_(hang_timeout),
      errors_(std::move(held.errors_)),
      name_(std::move(held.name_)),
      child_(std::move(held.child_).let_go()) {}

RuntimeWatch::~RuntimeWatch() {
  try {
    finish([] { return false; });
  } catch (const Error& error) {
    warn(error.message());
  }
}

void RuntimeWatch::wait_until_ready(criu::CriuGate& gate, const std::function<bool()>& unwanted) {
  constexpr std::chrono::milliseconds kAskInterval{20};
  const Deadline hung_at = deadline_in(hang_timeout_);
  while (!gate.wait(child_.pidfd(), deadline_in(kAskInterval))) {
    if (child_.wait_until(Deadline())) {
      wait();
      throw Error(
          ErrorKind::kRuntime,
          formatted("{} ended before the container was frozen, and says that all is well", name_),
          "look whether it, and CRIU, are what they should be");
    }
    if (unwanted() || std::chrono::steady_clock::now() >= hung_at) wait([] { return true; });
  }
}

void RuntimeWatch::wait(const std::function<bool()>& unwanted) {
  const bool killed = finish(unwanted);
  const ExitStatus status = child_.wait();
  if (killed) {
    throw Error(ErrorKind::kTimeout,
                formatted("{} did nothing for {} and was ended; the container is unharmed", name_,
                          human_duration(hang_timeout_)),
                "look for what the runtime waits for, or raise --runtime-timeout");
  }
  if (status.ok()) return;
  if (status.signal != 0) {
    throw Error(ErrorKind::kConflict,
                formatted("{} was {} while it took the checkpoint; the checkpoint is discarded",
                          name_, status.describe()),
                "find out who did it");
  }
  std::string message = formatted("{} checkpoint failed ({})", name_, status.describe());
  if (const std::string line = last_line(read_back(errors_)); !line.empty()) {
    message += ": " + line;
  }
  throw Error(ErrorKind::kRuntime, message);
}

bool RuntimeWatch::finish(const std::function<bool()>& unwanted) {
  if (finished_) return false;
  oci::RuntimeGroup group(child_.pid(), container_init_, hang_timeout_, [this](Deadline deadline) {
    return child_.wait_until(deadline).has_value();
  });
  group.wait(unwanted);
  finished_ = true;
  return group.was_killed();
}

}  // namespace still::cut
