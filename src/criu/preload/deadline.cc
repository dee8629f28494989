// Preloaded into CRIU alone: when the container has stood still for as long as it may, or nobody
// waits for the images any more, CRIU lets it go. It must not be killed for that: only it can take
// its own code out of a task. So a step of it fails here that it has to bear at any time, and from
// there on it undoes what it has done, as after every failure (CRIU 4.1.1):
// - the next task is not seized, nor waited for: that has a time limit of CRIU's own, by SIGALRM
//   (collect_pstree() in criu/seize.c), which is over then;
// - the next image is not made, and pages are no longer put into one (criu/image.c,
//   criu/page-xfer.c).
//
// The gate (freeze_gate.cc) tells the time; its connection stays open, and its end means the same.

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "criu/preload/preload.h"

namespace {

constexpr int64_t kSecond = 1'000'000'000;

// How long the next task may take to stop when all are asked: those of a frozen cgroup do at once,
// and what takes longer mostly does not end (a task that waits in the kernel for another one).
constexpr int64_t kStopTime = 2 * kSecond;
constexpr int64_t kEnded = INT64_MIN;

int g_gate = -1;
int64_t g_deadline = INT64_MAX;  // CLOCK_MONOTONIC, nanoseconds
bool g_is_over = false;
// Whether CRIU has changed anything in a task; from there on it waits for what it has begun.
bool g_has_changed_tasks = false;
int64_t g_stopped_by = 0;  // the next task; 0: none has been asked to stop; or kEnded

int64_t now() {
  timespec time = {};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * kSecond + time.tv_nsec;
}

bool is_unwanted() {
  char byte = 0;
  return g_gate >= 0 && ::recv(g_gate, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

bool is_over() {
  g_is_over = g_is_over || now() >= g_deadline || is_unwanted();
  return g_is_over;
}

// As when CRIU's own time limit for this is over; once, for its handler would try again.
void end_time_to_stop() {
  if (g_stopped_by == kEnded) return;
  g_stopped_by = kEnded;
  ::raise(SIGALRM);
}

void wait_for_the_next() {
  if (g_stopped_by != kEnded) g_stopped_by = now() + kStopTime;
}

bool is_past_time_to_stop() { return is_over() || now() >= g_stopped_by; }

int fail() {
  errno = ECANCELED;
  return -1;
}

}  // namespace

void hold_until(int gate, int64_t deadline) {
  g_gate = gate;
  g_deadline = deadline;
}

bool may_seize() {
  if (!is_over() && g_stopped_by != kEnded) {
    wait_for_the_next();
    return true;
  }
  end_time_to_stop();
  errno = ECANCELED;
  return false;
}

void give_up() {
  g_is_over = true;
  end_time_to_stop();
}

void tasks_are_changed() { g_has_changed_tasks = true; }

EXPORTED pid_t wait4(pid_t task, int* status, int options, rusage* usage) {
  const auto wait = [&](int more) {
    return static_cast<pid_t>(::syscall(SYS_wait4, task, status, options | more, usage));
  };
  const bool waits_for_a_stop = g_stopped_by != 0 && !g_has_changed_tasks && options == __WALL;
  if (!waits_for_a_stop) return wait(0);
  constexpr long kShortest = 20'000;
  constexpr long kLongest = 1'000'000;
  for (timespec moment{.tv_sec = 0, .tv_nsec = kShortest};;) {
    const pid_t got = wait(WNOHANG);
    if (got != 0) {
      wait_for_the_next();
      return got;
    }
    if (is_past_time_to_stop()) {
      end_time_to_stop();
      errno = EINTR;
      return -1;
    }
    ::nanosleep(&moment, nullptr);
    if (moment.tv_nsec < kLongest) moment.tv_nsec *= 2;
  }
}

EXPORTED int openat64(int directory, const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
    if (is_over()) return fail();
  }
  const int instead = instead_of_opening(directory, path, flags);
  if (instead >= 0 || errno != 0) return instead;
  using Function = int(int, const char*, int, mode_t);
  static auto* next = reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, "openat64"));
  return next(directory, path, flags, mode);
}

EXPORTED ssize_t splice(int from, off64_t* from_offset, int to, off64_t* to_offset, size_t size,
                        unsigned flags) {
  if (is_over()) return fail();
  return ::syscall(SYS_splice, from, from_offset, to, to_offset, size, flags);
}

EXPORTED ssize_t sendfile64(int to, int from, off64_t* offset, size_t size) noexcept {
  if (is_over()) return fail();
  return ::syscall(SYS_sendfile, to, from, offset, size);
}
