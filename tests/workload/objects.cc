// Holds one of each of the kernel's objects that have a state, and verifies at SIGTERM that they
// have it still. See --help.

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "flags.h"
#include "processes.h"

namespace {

using workload::end_process;
using workload::kFailed;
using workload::kFine;
using workload::kInconsistent;

const workload::Output kOutput{""};
constexpr size_t kPage = 4096;
constexpr time_t kHour = 3600;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}
int check(int result, const char* what) {
  if (result < 0) fail(what);
  return result;
}

// What each object's state is to be in the end.
class Verdicts {
 public:
  void add(std::string name, std::function<bool()> holds) {
    verdicts_.emplace_back(std::move(name), std::move(holds));
  }
  void verify() const {
    for (const auto& [name, holds] : verdicts_) {
      if (!holds()) end_process(kInconsistent, "objects: INCONSISTENT: " + name, kOutput);
    }
  }

 private:
  std::vector<std::pair<std::string, std::function<bool()>>> verdicts_;
};

bool reads(int fd, const std::string& text) {
  std::string got(text.size() + 1, '\0');
  return read(fd, got.data(), got.size()) == static_cast<ssize_t>(text.size()) &&
         got.starts_with(text);
}

void writes(int fd, const std::string& text) {
  if (write(fd, text.data(), text.size()) < 0) fail("write");
}

void hold_pipes_and_sockets(Verdicts& verdicts) {
  int ends[2];
  check(pipe2(ends, O_NONBLOCK), "pipe");
  writes(ends[1], "in the pipe");
  verdicts.add("pipe", [from = ends[0]] { return reads(from, "in the pipe"); });
  for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    check(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends), "socketpair");
    writes(ends[1], "one");
    if (type != SOCK_STREAM) writes(ends[1], "two");
    verdicts.add("socket", [=, from = ends[0], to = ends[1]] {
      if (!reads(from, "one") || (type != SOCK_STREAM && !reads(from, "two"))) return false;
      writes(to, "three");
      return reads(from, "three");
    });
  }
}

void hold_events(Verdicts& verdicts) {
  const int counter = check(eventfd(7, EFD_NONBLOCK), "eventfd");
  const int set = check(epoll_create1(0), "epoll_create1");
  epoll_event interest{.events = EPOLLIN | EPOLLET, .data = {.u64 = 0x1234567890}};
  check(epoll_ctl(set, EPOLL_CTL_ADD, counter, &interest), "epoll_ctl");
  verdicts.add("epoll", [set] {
    epoll_event event{};
    return epoll_wait(set, &event, 1, 0) == 1 && event.data.u64 == 0x1234567890;
  });
  verdicts.add("eventfd", [counter] {
    eventfd_t value = 0;
    return eventfd_read(counter, &value) == 0 && value == 7;
  });
}

bool is_within_the_hour(const timespec& left) {
  return left.tv_sec > kHour / 2 && left.tv_sec <= kHour;
}

void hold_timers(Verdicts& verdicts) {
  const itimerspec hour{.it_interval = {.tv_sec = 7, .tv_nsec = 0},
                        .it_value = {.tv_sec = kHour, .tv_nsec = 0}};
  const int descriptor = check(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), "timerfd_create");
  check(timerfd_settime(descriptor, 0, &hour, nullptr), "timerfd_settime");
  verdicts.add("timerfd", [descriptor] {
    itimerspec now{};
    return timerfd_gettime(descriptor, &now) == 0 && is_within_the_hour(now.it_value) &&
           now.it_interval.tv_sec == 7;
  });
  timer_t timer{};
  sigevent how{};
  how.sigev_notify = SIGEV_SIGNAL;
  how.sigev_signo = SIGRTMIN + 3;
  check(timer_create(CLOCK_MONOTONIC, &how, &timer), "timer_create");
  check(timer_settime(timer, 0, &hour, nullptr), "timer_settime");
  verdicts.add("POSIX timer", [timer] {
    itimerspec now{};
    return timer_gettime(timer, &now) == 0 && is_within_the_hour(now.it_value);
  });
  const itimerval alarm{.it_interval = {}, .it_value = {.tv_sec = kHour, .tv_usec = 0}};
  check(setitimer(ITIMER_REAL, &alarm, nullptr), "setitimer");
  verdicts.add("interval timer", [] {
    itimerval now{};
    return getitimer(ITIMER_REAL, &now) == 0 && now.it_value.tv_sec > kHour / 2;
  });
}

// Blocked in all threads, as they are made after this.
void hold_signals(Verdicts& verdicts) {
  sigset_t held;
  sigemptyset(&held);
  for (const int signal : {SIGUSR1, SIGRTMIN + 1}) sigaddset(&held, signal);
  check(sigprocmask(SIG_BLOCK, &held, nullptr), "sigprocmask");
  raise(SIGUSR1);
  for (const int number : {11, 12}) {
    check(sigqueue(getpid(), SIGRTMIN + 1, sigval{.sival_int = number}), "sigqueue");
  }
  verdicts.add("pending signals", [held] {
    const timespec at_once{};
    siginfo_t info{};
    if (sigtimedwait(&held, &info, &at_once) != SIGUSR1) return false;
    for (const int number : {11, 12}) {
      if (sigtimedwait(&held, &info, &at_once) != SIGRTMIN + 1) return false;
      if (info.si_value.sival_int != number) return false;
    }
    return sigtimedwait(&held, &info, &at_once) < 0;
  });
}

void hold_terminal(Verdicts& verdicts) {
  const int leader = check(posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK), "posix_openpt");
  check(grantpt(leader), "grantpt");
  check(unlockpt(leader), "unlockpt");
  const int follower = check(open(ptsname(leader), O_RDWR | O_NOCTTY | O_NONBLOCK), "open");
  termios modes{};
  check(tcgetattr(follower, &modes), "tcgetattr");
  cfmakeraw(&modes);
  modes.c_cc[VMIN] = 42;
  check(tcsetattr(follower, TCSANOW, &modes), "tcsetattr");
  verdicts.add("terminal", [leader, follower] {
    termios now{};
    if (tcgetattr(follower, &now) != 0 || now.c_cc[VMIN] != 42) return false;
    writes(leader, "typed");
    return reads(follower, "typed");
  });
}

// Its own value, and none in a child: what keeps parent and child from the same random numbers.
void hold_wiped(Verdicts& verdicts) {
  auto* word = static_cast<volatile int*>(
      mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (word == MAP_FAILED) fail("mmap");
  check(madvise(const_cast<int*>(word), kPage, MADV_WIPEONFORK), "madvise");
  *word = 42;
  verdicts.add("memory that is wiped in children", [word] {
    const pid_t child = fork();
    if (child == 0) _exit(*word);
    int status = 0;
    return *word == 42 && waitpid(child, &status, 0) == child && status == 0;
  });
}

// A lock that one thread has and another one waits for.
void hold_lock(Verdicts& verdicts) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static std::atomic<bool> passed = false;
  pthread_mutex_lock(&mutex);
  static std::thread waiting([] {
    pthread_mutex_lock(&mutex);
    passed = true;
  });
  verdicts.add("lock", [] {
    if (passed) return false;
    pthread_mutex_unlock(&mutex);
    waiting.join();
    return passed.load();
  });
}

// Below its last page, which alone is there, it may grow as it is used.
void hold_growing(Verdicts& verdicts) {
  constexpr size_t kReach = 64 * kPage;
  void* reach =
      mmap(nullptr, kReach, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reach == MAP_FAILED) fail("mmap");
  check(munmap(reach, kReach), "munmap");
  void* last = mmap(static_cast<char*>(reach) + kReach - kPage, kPage, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
  if (last == MAP_FAILED) fail("mmap");
  auto* memory = static_cast<volatile char*>(last);
  memory[10] = 'g';
  memory[10 - static_cast<ptrdiff_t>(kPage)] = 'r';
  verdicts.add("mapping that grows", [memory] {
    return memory[10] == 'g' && memory[10 - static_cast<ptrdiff_t>(kPage)] == 'r';
  });
}

void hold_stopped(Verdicts& verdicts) {
  const pid_t stopped = check(fork(), "fork");
  if (stopped == 0) {
    raise(SIGSTOP);
    _exit(10);
  }
  siginfo_t info{};
  check(waitid(P_PID, static_cast<id_t>(stopped), &info, WSTOPPED | WNOWAIT), "waitid");
  verdicts.add("stopped child", [stopped] {
    kill(stopped, SIGCONT);
    return workload::wait_for(stopped) == 10;
  });
}

// One that has ended and is not waited for, one that ignores all it can, and one that is stopped.
void hold_children(Verdicts& verdicts, bool with_stopped) {
  const pid_t ended = check(fork(), "fork");
  if (ended == 0) _exit(9);
  if (with_stopped) hold_stopped(verdicts);
  const pid_t deaf = check(fork(), "fork");
  if (deaf == 0) {
    for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_IGN);
    for (;;) pause();
  }
  verdicts.add("ended child", [ended] { return workload::wait_for(ended) == 9; });
  verdicts.add("deaf child", [deaf] {
    int status = 0;
    if (waitpid(deaf, &status, WNOHANG) != 0) return false;
    kill(deaf, SIGKILL);
    return waitpid(deaf, &status, 0) == deaf && WIFSIGNALED(status);
  });
}

}  // namespace

int main(int argc, char** argv) try {
  workload::Flags flags("[flags]",
                        "Holds one of each of the kernel's objects that have a state, until "
                        "SIGTERM; ends with 3 when\n"
                        "one does not have it any more. Prints \"objects=held\".");
  bool without_stopped = false;
  flags.on_off("no-stopped", without_stopped, "Without a child that is stopped");
  flags.parse(argc, argv);
  sigset_t end;
  sigemptyset(&end);
  sigaddset(&end, SIGTERM);
  check(sigprocmask(SIG_BLOCK, &end, nullptr), "sigprocmask");
  Verdicts verdicts;
  hold_children(verdicts, !without_stopped);
  hold_signals(verdicts);
  hold_pipes_and_sockets(verdicts);
  hold_events(verdicts);
  hold_timers(verdicts);
  hold_terminal(verdicts);
  hold_growing(verdicts);
  hold_wiped(verdicts);
  hold_lock(verdicts);
  kOutput.line("objects=held");
  int signal = 0;
  sigwait(&end, &signal);
  verdicts.verify();
  return kFine;
} catch (const std::exception& error) {
  std::fprintf(stderr, "objects: %s\n", error.what());
  return kFailed;
}
