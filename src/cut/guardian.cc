#include "cut/guardian.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "base/text.h"
#include "cgroup/location.h"
#include "oci/runtime_group.h"
#include "os/files.h"
#include "os/process_status.h"

namespace still::cut {
namespace {

// What is said on the channel: by the guardian,
constexpr char kOnGuard = 'g';
constexpr char kIntervened = 'i';
constexpr char kClosed = 'c';
// and by us.
constexpr char kReleased = 'r';

// How often it looks, and how long we may be stopped.
constexpr std::chrono::milliseconds kLookInterval{50};
constexpr std::chrono::milliseconds kPatience{500};

std::pair<Fd, Fd> make_channel() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    throw Error::system(errno, "cannot make a socket pair");
  }
  return {Fd(ends[0]), Fd(ends[1])};
}

// A write to an end that has gone is no signal here.
bool send_byte(const Fd& channel, char byte) {
  return ::send(channel.get(), &byte, 1, MSG_NOSIGNAL) == 1;
}

// nullopt at the end of the other side, and where nothing has come and flags say not to wait.
std::optional<char> receive_byte(const Fd& channel, int flags = 0) {
  char byte = 0;
  ssize_t got = 0;
  while ((got = ::recv(channel.get(), &byte, 1, flags)) < 0 && errno == EINTR) {
  }
  return got == 1 ? std::optional(byte) : std::nullopt;
}

// False when nothing has come for that long.
bool something_comes(const Fd& channel, std::chrono::milliseconds timeout) {
  pollfd source{channel.get(), POLLIN, 0};
  return ::poll(&source, 1, static_cast<int>(timeout.count())) > 0;
}

// --- in the guardian ---

// Descriptors that are not ours but our caller's, who waits for their end: all of ours are
// close-on-exec.
void close_inherited() {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd <= STDERR_FILENO; ++fd) ::dup2(null, fd);
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename());
    const int flags = ::fcntl(fd, F_GETFD);
    if (fd > STDERR_FILENO && flags >= 0 && (flags & FD_CLOEXEC) == 0) ::close(fd);
  }
}

void leave_our_caller() {
  ::setsid();
  ::prctl(PR_SET_NAME, "still-guardian");
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  if (::chdir("/") != 0) warn("the guardian cannot leave its directory");
  close_inherited();
}

void wait_for_runtime(
    const WardedRuntime& runtime, std::chrono::nanoseconds hang_timeout,
    const std::function<bool()>& unwanted = [] { return false; }) try {
  const HeldChild& process = *runtime.process;
  oci::RuntimeGroup(process.pid(), runtime.init, hang_timeout, [&](Deadline deadline) {
    return wait_for_exit(process.pidfd(), deadline);
  }).wait(unwanted);
} catch (const std::exception&) {  // nobody is left to be told; thawing is what counts
}

void thaw(cgroup::Freezer& freezer) try {
  freezer.request(false);
} catch (const std::exception&) {  // the cgroup has gone with its container
}

bool is_frozen(const cgroup::Freezer* freezer) try {
  return freezer->state().requested;
} catch (const std::exception&) {  // the cgroup has gone with its container
  return false;
}

// Whether a thread of the process holds another process by ptrace(2). Copies (memory/fork_copy.h)
// have no exit signal.
bool holds_tasks(pid_t process, bool copies_count) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto pid = parse_integer(entry.path().filename().native());
    if (!pid) continue;
    const auto held = static_cast<pid_t>(*pid);
    const pid_t tracer = tracer_of(held);
    if (tracer == 0 || !path_exists(formatted("/proc/{}/task/{}", process, tracer))) continue;
    const auto stat = process_stat(held);
    if (stat && (copies_count || stat->exit_signal != 0)) return true;
  }
  return false;
}

// The process that it was forked from.
struct Still {
  pid_t pid = 0;
  Fd process;
  std::optional<cgroup::Location> cgroup;  // where it can be frozen
};

// Looks what became of it.
class Watched {
 public:
  explicit Watched(const Still& still) : still_(still) {}

  // Whether it has been stopped for too long; asked again, only after as long again. To be called
  // often.
  bool is_stopped_for_long() {
    const auto now = std::chrono::steady_clock::now();
    if (!is_stopped()) {
      since_ = now;
      return false;
    }
    if (now - since_ < kPatience) return false;
    since_ = now;
    return true;
  }
  bool holds_tasks(bool copies_count) const { return cut::holds_tasks(still_.pid, copies_count); }

 private:
  bool is_stopped() const {
    const auto stat = process_stat(still_.pid);
    if (stat && (stat->state == 'T' || stat->state == 't')) return true;
    return still_.cgroup && cgroup::is_frozen(*still_.cgroup);
  }

  const Still& still_;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

void thaw_all(const Ward& ward) {
  for (const WardedRuntime& runtime : ward.runtimes) wait_for_runtime(runtime, ward.hang_timeout);
  for (cgroup::Freezer* freezer : ward.freezers) thaw(*freezer);
}

// Said before anything runs on, so that nobody takes what is cut for that of one instant.
void intervene(const Ward& ward, const Fd& channel) {
  send_byte(channel, kIntervened);
  for (const WardedRuntime& runtime : ward.runtimes) {
    wait_for_runtime(runtime, ward.hang_timeout, [] { return true; });
  }
  for (cgroup::Freezer* freezer : ward.freezers) thaw(*freezer);
}

void close_all_but(const Fd& one, const Fd& other) {
  const auto low = static_cast<unsigned>(std::min(one.get(), other.get()));
  const auto high = static_cast<unsigned>(std::max(one.get(), other.get()));
  ::close_range(STDERR_FILENO + 1, low - 1, 0);
  ::close_range(low + 1, high - 1, 0);
  ::close_range(high + 1, ~0U, 0);
}

// Until the process says no more, because it has ended. is_released: whether it had thawed all.
void watch(const Ward& ward, const Still& still, const Fd& channel, bool& is_released) {
  Watched watched(still);
  for (;;) {
    if (something_comes(channel, kLookInterval)) {
      if (receive_byte(channel) != kReleased) return;
      is_released = true;
      close_all_but(still.process, channel);
      send_byte(channel, kClosed);
    } else if (watched.is_stopped_for_long()) {
      // Its end, however sudden, lets go of tasks as they are (memory/injection.h).
      // Copies are to stand still later on, but not before they have let go of what they share.
      if (watched.holds_tasks(!is_released)) send_signal(still.process, SIGKILL);
      if (!is_released && std::ranges::any_of(ward.freezers, is_frozen)) intervene(ward, channel);
    }
  }
}

[[noreturn]] void guard(const Ward& ward, const Still& still, const Fd& channel) {
  for (const WardedRuntime& runtime : ward.runtimes) ::close(runtime.process->gate().get());
  bool is_released = false;
  try {
    leave_our_caller();
  } catch (const std::exception&) {  // the work can be done without that
  }
  send_byte(channel, kOnGuard);
  try {
    watch(ward, still, channel, is_released);
  } catch (const std::exception&) {  // its end is what counts most
  }
  wait_for_exit(still.process, Deadline::max());
  if (!is_released) thaw_all(ward);
  ::_exit(0);
}

}  // namespace

Guardian::Running Guardian::start(const Ward& ward) {
  const Still still{.pid = ::getpid(),
                    .process = open_pidfd(::getpid()).value(),
                    .cgroup = cgroup::find_freezer_cgroup(::getpid())};
  auto [ours, its] = make_channel();
  const pid_t pid = ::fork();
  if (pid < 0) throw Error::system(errno, "cannot start the guardian");
  if (pid == 0) {
    ::close(ours.get());
    guard(ward, still, its);
  }
  return {.channel = std::move(ours), .pid = pid};
}

Guardian::Guardian(const Ward& ward) : running_(start(ward)) {
  if (receive_byte(running_.channel) == kOnGuard) return;
  wait_for_end();
  throw Error(ErrorKind::kSystem, "the guardian ended before it was on guard");
}

Guardian::~Guardian() {
  ::kill(running_.pid, SIGKILL);
  wait_for_end();
}

bool Guardian::has_intervened() const {
  return receive_byte(running_.channel, MSG_PEEK | MSG_DONTWAIT) == kIntervened;
}

void Guardian::release() const {
  send_byte(running_.channel, kReleased);
  // One that is stopped, or has been killed, is not needed any more.
  constexpr std::chrono::milliseconds kTimeout{500};
  if (!something_comes(running_.channel, kTimeout)) ::kill(running_.pid, SIGKILL);
}

void Guardian::wait_for_end() const noexcept {
  while (::waitpid(running_.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace still::cut
