#include "store/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "base/text.h"
#include "os/clock.h"
#include "os/files.h"
#include "store/records.h"

namespace still::store {
namespace {

constexpr auto kPatience = std::chrono::seconds(1);
WhenLocked when_locked = WhenLocked::kWait;

constexpr auto kPollInterval = std::chrono::milliseconds(5);

bool try_lock(const Fd& file) {
  if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return true;
  if (errno == EWOULDBLOCK || errno == EINTR) return false;
  throw Error::system(errno, "cannot lock a container");
}

void block_on(const Fd& file) {
  while (::flock(file.get(), LOCK_EX) != 0) {
    if (errno != EINTR) throw Error::system(errno, "cannot lock a container");
  }
}

std::string read_holder(const Fd& file) {
  char text[128];
  const ssize_t length = ::pread(file.get(), text, sizeof text, 0);
  return length > 0 ? printable(trim({text, static_cast<size_t>(length)})) : "another still";
}

std::string describe_holder(const Fd& file, const std::string& id) {
  return formatted("container {} is in use by {}", id.substr(0, 12), read_holder(file));
}

void take(const Fd& file, const std::string& id) {
  const Deadline patience_ends = deadline_in(kPatience);
  while (!try_lock(file)) {
    if (std::chrono::steady_clock::now() >= patience_ends) {
      warn(describe_holder(file, id) + "; waiting for it");
      return block_on(file);
    }
    std::this_thread::sleep_for(kPollInterval);
  }
}

void take_or_fail(const Fd& file, const std::string& id) {
  if (try_lock(file)) return;
  throw Error(ErrorKind::kConflict, describe_holder(file, id),
              "try again later, or leave --no-wait out");
}

// For whoever has to wait. What the file says is no more than that, so a failure to write is none.
void write_holder(const Fd& file) {
  const std::string holder =
      formatted("process {} ({})", ::getpid(), program_invocation_short_name);
  if (::ftruncate(file.get(), 0) == 0) {
    [[maybe_unused]] const ssize_t written = ::pwrite(file.get(), holder.data(), holder.size(), 0);
  }
}

// Whether the path still names the open file: its last holder removes the file with the container.
bool is_current(const Fd& file, const std::filesystem::path& path) {
  struct stat now{};
  if (::stat(path.c_str(), &now) != 0) return false;
  const struct stat ours = stat_fd(file);
  return now.st_dev == ours.st_dev && now.st_ino == ours.st_ino;
}

Fd open_and_take(const std::filesystem::path& path, const std::string& id, WhenLocked what) {
  for (;;) {
    Fd file = open_file(path, O_RDWR | O_CREAT, 0600);
    what == WhenLocked::kWait ? take(file, id) : take_or_fail(file, id);
    if (is_current(file, path)) {
      write_holder(file);
      return file;
    }
  }
}

}  // namespace

void set_when_locked(WhenLocked what) { when_locked = what; }

ContainerLock ContainerLock::acquire(const Layout& layout, const std::string& id) {
  auto path = layout.locks() / id;
  Fd file = open_and_take(path, id, when_locked);
  return ContainerLock(std::move(file), std::move(path));
}

void ContainerLock::release() {
  if (::flock(file_.get(), LOCK_UN) != 0) throw Error::system(errno, "cannot unlock a container");
}

void ContainerLock::reacquire() {
  file_ = open_and_take(path_, path_.filename(), WhenLocked::kWait);
}

void ContainerLock::remove() {
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT) {
    throw Error::system(errno, "cannot remove " + path_.native());
  }
}

void remove_orphaned_locks(const Layout& layout,
                           const std::function<bool(const std::string& id)>& exists) {
  for (const auto& entry : std::filesystem::directory_iterator(layout.locks())) {
    const std::string id = entry.path().filename();
    if (id.size() != kIdLength || exists(id)) continue;
    const auto file = open_if_exists(entry.path(), O_RDWR);
    // Locked it belongs to one that is being made; and it may have been, until we had the lock.
    if (file && try_lock(*file) && !exists(id)) ::unlink(entry.path().c_str());
  }
}

Fd lock_shared_part(const Layout& layout, const std::string& name) {
  Fd file = open_file(layout.locks() / name, O_RDWR | O_CREAT, 0600);
  block_on(file);
  return file;
}

}  // namespace still::store
