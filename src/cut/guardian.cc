#include "cut/guardian.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "oci/runtime_group.h"
#include "os/files.h"

namespace still::cut {
namespace {

constexpr char kOnGuard = 'g';
constexpr char kDismissed = 'd';

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

// False at the end of the other side.
bool receive_byte(const Fd& channel, char expected) {
  char byte = 0;
  ssize_t got = 0;
  while ((got = ::recv(channel.get(), &byte, 1, 0)) < 0 && errno == EINTR) {
  }
  return got == 1 && byte == expected;
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

void wait_for_runtime(const WardedRuntime& runtime, std::chrono::nanoseconds hang_timeout) try {
  const HeldChild& process = *runtime.process;
  oci::RuntimeGroup(process.pid(), runtime.init, hang_timeout, [&](Deadline deadline) {
    return wait_for_exit(process.pidfd(), deadline);
  }).wait();
} catch (const std::exception&) {  // nobody is left to be told; thawing is what counts
}

void thaw(cgroup::Freezer& freezer) try {
  freezer.request(false);
} catch (const std::exception&) {  // the cgroup has gone with its container
}

[[noreturn]] void guard(const Ward& ward, const Fd& still, const Fd& channel) {
  for (const WardedRuntime& runtime : ward.runtimes) ::close(runtime.process->gate().get());
  try {
    leave_our_caller();
  } catch (const std::exception&) {  // the work can be done without that
  }
  send_byte(channel, kOnGuard);
  if (receive_byte(channel, kDismissed)) ::_exit(0);
  wait_for_exit(still, Deadline::max());
  for (const WardedRuntime& runtime : ward.runtimes) wait_for_runtime(runtime, ward.hang_timeout);
  for (cgroup::Freezer* freezer : ward.freezers) thaw(*freezer);
  ::_exit(0);
}

}  // namespace

Guardian::Running Guardian::start(const Ward& ward) {
  const Fd still = open_pidfd(::getpid()).value();
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
  if (receive_byte(running_.channel, kOnGuard)) return;
  wait_for_end();
  throw Error(ErrorKind::kSystem, "the guardian ended before it was on guard");
}

Guardian::~Guardian() {
  send_byte(running_.channel, kDismissed);
  wait_for_end();
}

void Guardian::wait_for_end() const noexcept {
  while (::waitpid(running_.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace still::cut
