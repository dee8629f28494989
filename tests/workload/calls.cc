// Waits in every system call that a signal can end (signal(7)), each in a thread and in a process
// of its own, and says which of them ended otherwise than it does when the program is left alone.
//
// calls SECONDS [--restart] [--no-aio]
//
// SECONDS is the time-out of those that have one. SIGTERM ends the program: what has ended before
// must have had its time-out, and all of it; what has not is sent a signal with a handler, which is
// to end it with EINTR, or lets it go on where the handler has SA_RESTART (--restart) and the call
// heeds it. --no-aio leaves out asynchronous I/O, which cannot be forked. SIGUSR1 prints a line for
// each that has ended. Exit codes: 0 fine, 3 not.

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/format.h"

namespace {

using std::chrono::duration;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;

constexpr int kWake = SIGUSR2;  // has a handler
constexpr int kFine = 0, kUsage = 2, kHarmed = 3, kFailed = 4;

long g_seconds = 0;
bool g_without_aio = false;

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  _exit(kFailed);
}
template <typename Number>
Number must(Number result, const char* what) {
  if (result < 0) fail(what);
  return result;
}

timespec relative() { return {.tv_sec = g_seconds, .tv_nsec = 0}; }
timespec absolute(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  now.tv_sec += g_seconds;
  return now;
}
int milliseconds_left() { return static_cast<int>(g_seconds * 1000); }

// --- what the calls wait for
// ---------------------------------------------------------------------

struct Pipe {
  int read_end = -1, write_end = -1;
};
Pipe make_pipe() {
  int ends[2];
  must(pipe(ends), "pipe");
  return {ends[0], ends[1]};
}
Pipe make_sockets(int type) {
  int ends[2];
  must(socketpair(AF_UNIX, type, 0, ends), "socketpair");
  return {ends[0], ends[1]};
}

// Full, so that the next write waits.
void fill(int fd) {
  std::array<char, 4096> bytes{};
  const int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  while (write(fd, bytes.data(), bytes.size()) > 0) {
  }
  fcntl(fd, F_SETFL, flags);
}

void set_timeout(int socket, int option) {
  const timeval time{.tv_sec = g_seconds, .tv_usec = 0};
  must(setsockopt(socket, SOL_SOCKET, option, &time, sizeof time), "setsockopt");
}

std::string unique_name(const char* kind) {
  return still::formatted("{}-{}-{}", kind, getpid(), syscall(SYS_gettid));
}

int listening_socket() {
  const int listener = must(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = unique_name("listener");
  std::memcpy(address.sun_path + 1, name.data(), name.size());  // abstract
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  must(bind(listener, reinterpret_cast<const sockaddr*>(&address), size), "bind");
  must(listen(listener, 1), "listen");
  return listener;
}

int make_epoll() {
  const int set = must(epoll_create1(0), "epoll_create1");
  epoll_event event{};
  event.events = EPOLLIN;
  must(epoll_ctl(set, EPOLL_CTL_ADD, make_pipe().read_end, &event), "epoll_ctl");
  return set;
}

int terminal() {
  const int master = must(posix_openpt(O_RDWR | O_NOCTTY), "posix_openpt");
  must(unlockpt(master), "unlockpt");
  return must(open(ptsname(master), O_RDWR | O_NOCTTY), "ptsname");
}

// A file whose lock somebody else has, by another open file.
int locked_file(bool flock_kind) {
  const std::string path = "/tmp/" + unique_name("lock");
  const int owner = must(open(path.c_str(), O_RDWR | O_CREAT, 0600), "open");
  if (flock_kind) {
    must(flock(owner, LOCK_EX), "flock");
  } else {
    struct flock lock{};
    lock.l_type = F_WRLCK;
    must(fcntl(owner, F_OFD_SETLK, &lock), "F_OFD_SETLK");
  }
  return must(open(path.c_str(), O_RDWR), "open");
}

aio_context_t aio() {
  aio_context_t context = 0;
  must(syscall(SYS_io_setup, 8, &context), "io_setup");
  return context;
}

pid_t child_that_stays() {
  const pid_t child = must(fork(), "fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close_range(STDERR_FILENO + 1, ~0U,
                0);  // what another thread has open in /proc cannot be restored
    for (;;) pause();
  }
  return child;
}

struct Message {
  long type = 1;
  char text[1024] = {};
};

// Has the signals for the whole program blocked, and no other.
sigset_t program_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGUSR1}) sigaddset(&set, signal);
  return set;
}
sigset_t awaited_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  return set;
}

// --- the calls
// -----------------------------------------------------------------------------------

struct Call {
  const char* name;
  bool has_timeout;
  // Whether it goes on after a handler with SA_RESTART.
  bool heeds_restart;
  long (*make)();  // returns what the call returns
};

long report(long result) { return result; }

const Call kCalls[] = {
    {"nanosleep", true, false,
     [] {
       const timespec time = relative();
       // With nothing in the register that tells it from a futex of several processes.
       return syscall(SYS_nanosleep, &time, nullptr, 0, 0);
     }},
    {"nanosleep with what is left", true, false,
     [] {
       const timespec time = relative();
       timespec left{};
       return syscall(SYS_nanosleep, &time, &left);
     }},
    {"sleep", true, false, [] { return sleep(static_cast<unsigned>(g_seconds)) == 0 ? 0L : -1L; }},
    {"clock_nanosleep", true, false,
     [] {
       const timespec time = relative();
       return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, nullptr);
     }},
    {"clock_nanosleep, absolute", true, false,
     [] {
       const timespec time = absolute(CLOCK_MONOTONIC);
       return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr);
     }},
    {"poll", true, false,
     [] {
       pollfd on{make_pipe().read_end, POLLIN, 0};
       return report(poll(&on, 1, milliseconds_left()));
     }},
    {"poll of nothing", true, false, [] { return report(poll(nullptr, 0, milliseconds_left())); }},
    {"poll without end", false, false,
     [] {
       pollfd on{make_pipe().read_end, POLLIN, 0};
       return report(poll(&on, 1, -1));
     }},
    {"ppoll", true, false,
     [] {
       pollfd on{make_pipe().read_end, POLLIN, 0};
       const timespec time = relative();
       const sigset_t mask = program_signals();
       return report(ppoll(&on, 1, &time, &mask));
     }},
    {"ppoll without end", false, false,
     [] {
       pollfd on{make_pipe().read_end, POLLIN, 0};
       return report(ppoll(&on, 1, nullptr, nullptr));
     }},
    {"ppoll with a time that is not to be written", true, false,
     [] {
       pollfd on{make_pipe().read_end, POLLIN, 0};
       auto* time = static_cast<timespec*>(
           mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
       *time = relative();
       mprotect(time, 4096, PROT_READ);
       return syscall(SYS_ppoll, &on, 1, time, nullptr, 8);
     }},
    {"select", true, false,
     [] {
       fd_set set;
       FD_ZERO(&set);
       const int on = make_pipe().read_end;
       FD_SET(on, &set);
       timeval time{.tv_sec = g_seconds, .tv_usec = 0};
       return syscall(SYS_select, on + 1, &set, nullptr, nullptr, &time);
     }},
    {"pselect", true, false,
     [] {
       const timespec time = relative();
       return report(pselect(0, nullptr, nullptr, nullptr, &time, nullptr));
     }},
    {"epoll_wait", true, false,
     [] {
       epoll_event event{};
       return report(epoll_wait(make_epoll(), &event, 1, milliseconds_left()));
     }},
    {"epoll_wait without end", false, false,
     [] {
       epoll_event event{};
       return report(epoll_wait(make_epoll(), &event, 1, -1));
     }},
    {"epoll_pwait", true, false,
     [] {
       epoll_event event{};
       const sigset_t mask = program_signals();
       return report(epoll_pwait(make_epoll(), &event, 1, milliseconds_left(), &mask));
     }},
    {"epoll_pwait2", true, false,
     [] {
       epoll_event event{};
       const timespec time = relative();
       return report(epoll_pwait2(make_epoll(), &event, 1, &time, nullptr));
     }},
    {"futex", true, false,
     [] {
       uint32_t word = 0;
       const timespec time = relative();
       return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &time, nullptr, 0);
     }},
    {"futex without end", false, true,
     [] {
       uint32_t word = 0;
       return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
     }},
    {"sem_timedwait", true, false,
     [] {
       sem_t semaphore;
       sem_init(&semaphore, 0, 0);
       const timespec time = absolute(CLOCK_REALTIME);
       return report(sem_timedwait(&semaphore, &time));
     }},
    {"msgrcv", false, false,
     [] {
       Message message;
       const int queue = must(msgget(IPC_PRIVATE, 0600), "msgget");
       return static_cast<long>(msgrcv(queue, &message, sizeof message.text, 0, 0));
     }},
    {"msgsnd", false, false,
     [] {
       const Message message;
       const int queue = must(msgget(IPC_PRIVATE, 0600), "msgget");
       while (msgsnd(queue, &message, sizeof message.text, IPC_NOWAIT) == 0) {
       }
       return report(msgsnd(queue, &message, sizeof message.text, 0));
     }},
    {"semop", false, false,
     [] {
       sembuf wait{0, -1, 0};
       return report(semop(must(semget(IPC_PRIVATE, 1, 0600), "semget"), &wait, 1));
     }},
    {"semtimedop", true, false,
     [] {
       sembuf wait{0, -1, 0};
       const timespec time = relative();
       return report(semtimedop(must(semget(IPC_PRIVATE, 1, 0600), "semget"), &wait, 1, &time));
     }},
    {"sigtimedwait", true, false,
     [] {
       const sigset_t set = awaited_signals();
       const timespec time = relative();
       return syscall(SYS_rt_sigtimedwait, &set, nullptr, &time, 8);
     }},
    {"sigwaitinfo", false, false,
     [] {
       const sigset_t set = awaited_signals();
       return syscall(SYS_rt_sigtimedwait, &set, nullptr, nullptr, 8);
     }},
    {"sigsuspend", false, false,
     [] {
       const sigset_t mask = program_signals();
       return report(sigsuspend(&mask));
     }},
    {"pause", false, false, [] { return report(pause()); }},
    {"io_getevents", true, false,
     [] {
       io_event event{};
       timespec time = relative();
       return syscall(SYS_io_getevents, aio(), 1, 1, &event, &time);
     }},
    {"io_getevents without end", false, false,
     [] {
       io_event event{};
       return syscall(SYS_io_getevents, aio(), 1, 1, &event, nullptr);
     }},
    {"read of a pipe", false, true,
     [] {
       char byte = 0;
       return static_cast<long>(read(make_pipe().read_end, &byte, 1));
     }},
    {"write to a pipe", false, true,
     [] {
       const Pipe pipe = make_pipe();
       fill(pipe.write_end);
       return static_cast<long>(write(pipe.write_end, "x", 1));
     }},
    {"read of a terminal", false, true,
     [] {
       char byte = 0;
       return static_cast<long>(read(terminal(), &byte, 1));
     }},
    {"read of a socket", false, true,
     [] {
       char byte = 0;
       return static_cast<long>(read(make_sockets(SOCK_STREAM).read_end, &byte, 1));
     }},
    {"recv with SO_RCVTIMEO", true, false,
     [] {
       char byte = 0;
       const int socket = make_sockets(SOCK_STREAM).read_end;
       set_timeout(socket, SO_RCVTIMEO);
       return static_cast<long>(recv(socket, &byte, 1, 0));
     }},
    {"recvmsg of datagrams", false, true,
     [] {
       char byte = 0;
       iovec place{&byte, 1};
       msghdr message{};
       message.msg_iov = &place;
       message.msg_iovlen = 1;
       return static_cast<long>(recvmsg(make_sockets(SOCK_DGRAM).read_end, &message, 0));
     }},
    {"send with SO_SNDTIMEO", true, false,
     [] {
       // Full by the number of messages: of bytes a restored one may have another limit.
       const int socket = make_sockets(SOCK_DGRAM).write_end;
       set_timeout(socket, SO_SNDTIMEO);
       fill(socket);
       return static_cast<long>(send(socket, "x", 1, 0));
     }},
    {"accept", false, true, [] { return report(accept(listening_socket(), nullptr, nullptr)); }},
    {"accept with SO_RCVTIMEO", true, false,
     [] {
       const int listener = listening_socket();
       set_timeout(listener, SO_RCVTIMEO);
       return report(accept(listener, nullptr, nullptr));
     }},
    {"flock", false, true, [] { return report(flock(locked_file(true), LOCK_EX)); }},
    {"fcntl", false, true,
     [] {
       struct flock lock{};
       lock.l_type = F_WRLCK;
       return report(fcntl(locked_file(false), F_OFD_SETLKW, &lock));
     }},
    {"open of a named pipe", false, true,
     [] {
       const std::string path = "/tmp/" + unique_name("fifo");
       must(mkfifo(path.c_str(), 0600), "mkfifo");
       return report(open(path.c_str(), O_RDONLY));
     }},
    {"read of inotify", false, true,
     [] {
       std::array<char, 4096> bytes{};
       const int notify = must(inotify_init1(0), "inotify_init1");
       return static_cast<long>(read(notify, bytes.data(), bytes.size()));
     }},
    {"wait4", false, true, [] { return report(waitpid(child_that_stays(), nullptr, 0)); }},
    {"waitid", false, true,
     [] { return report(waitid(P_PID, static_cast<id_t>(child_that_stays()), nullptr, WEXITED)); }},
};
constexpr size_t kCount = std::size(kCalls);

// --- who makes them
// ------------------------------------------------------------------------------

// In memory that all processes share.
struct Outcome {
  std::atomic<pid_t> task = 0;
  std::atomic<bool> ended = false;
  long result = 0;
  int error = 0;
  double seconds = 0;

  void make(const Call& call) {
    task = static_cast<pid_t>(syscall(SYS_gettid));
    const auto begin = steady_clock::now();
    const auto begin_of_day = system_clock::now();
    errno = 0;
    result = call.make();
    error = errno;
    // Time-outs are of one of the two, and only one goes on between a cut and a restore.
    seconds = duration<double>(std::max<system_clock::duration>(steady_clock::now() - begin,
                                                                system_clock::now() - begin_of_day))
                  .count();
    ended = true;
  }
};
struct Outcomes {
  std::array<Outcome, kCount> by_threads, by_processes;
};

bool is_asleep(pid_t task) {
  char state = 0;
  std::FILE* file = std::fopen(still::formatted("/proc/{}/stat", task).c_str(), "r");
  if (file == nullptr) return false;
  const int got = std::fscanf(file, "%*d (%*[^)]) %c", &state);
  std::fclose(file);
  return got == 1 && state == 'S';
}

bool is_left_out(const Call& call) {
  return g_without_aio && std::string_view(call.name).starts_with("io_getevents");
}

void start(Outcomes& outcomes) {
  for (size_t i = 0; i < kCount; ++i) {
    if (is_left_out(kCalls[i])) continue;
    const pid_t child = must(fork(), "fork");
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      outcomes.by_processes[i].make(kCalls[i]);
      for (;;) pause();
    }
  }
  for (size_t i = 0; i < kCount; ++i) {
    if (is_left_out(kCalls[i])) continue;
    std::thread([&outcomes, i] {
      outcomes.by_threads[i].make(kCalls[i]);
      for (;;) pause();
    }).detach();
  }
  for (const auto* all : {&outcomes.by_threads, &outcomes.by_processes}) {
    for (size_t i = 0; i < kCount; ++i) {
      if (is_left_out(kCalls[i])) continue;
      while ((*all)[i].task == 0 || !is_asleep((*all)[i].task)) {
        std::this_thread::sleep_for(milliseconds(1));
      }
    }
  }
}

// --- the verdict
// ---------------------------------------------------------------------------------

// Empty: as it should be. is_over: the handler has been called.
std::string complaint(const Call& call, const Outcome& outcome, bool is_over, bool restarts) {
  if (!outcome.ended) {
    const bool goes_on = restarts && call.heeds_restart;
    return is_over && !goes_on ? "was not ended by a signal with a handler" : "";
  }
  const std::string how = still::formatted("ended after {:.2f} s: {}, {}", outcome.seconds,
                                           outcome.result, std::strerror(outcome.error));
  const bool was_interrupted = outcome.result == -1 && outcome.error == EINTR;
  const bool has_slept = call.has_timeout && !was_interrupted &&
                         outcome.seconds >= static_cast<double>(g_seconds) - 0.01;
  const bool was_woken = is_over && was_interrupted && !(restarts && call.heeds_restart);
  return has_slept || was_woken ? "" : how;
}

class Verdict {
 public:
  Verdict(const Outcomes& outcomes, bool is_over, bool restarts) {
    for (size_t i = 0; i < kCount; ++i) {
      if (is_left_out(kCalls[i])) continue;
      look(kCalls[i], outcomes.by_threads[i], "thread", is_over, restarts);
      look(kCalls[i], outcomes.by_processes[i], "process", is_over, restarts);
    }
  }
  bool is_fine() const { return fine_; }

 private:
  void look(const Call& call, const Outcome& outcome, const char* who, bool is_over,
            bool restarts) {
    const std::string bad = complaint(call, outcome, is_over, restarts);
    if (!bad.empty()) {
      std::printf("calls: HARMED: %s, %s: %s\n", call.name, who, bad.c_str());
      fine_ = false;
    } else if (!is_over && outcome.ended) {
      std::printf("calls: %s, %s: %.2f s\n", call.name, who, outcome.seconds);
    }
  }

  bool fine_ = true;
};

void wake(const Outcomes& outcomes) {
  for (size_t i = 0; i < kCount; ++i) {
    if (is_left_out(kCalls[i])) continue;
    syscall(SYS_tgkill, getpid(), outcomes.by_threads[i].task.load(), kWake);
    kill(outcomes.by_processes[i].task, kWake);
  }
}

// What is to be woken needs a moment.
Verdict final_verdict(const Outcomes& outcomes, bool restarts) {
  const bool before = Verdict(outcomes, false, restarts).is_fine();
  wake(outcomes);
  std::this_thread::sleep_for(milliseconds(500));
  const Verdict after(outcomes, true, restarts);
  if (!before) _exit(kHarmed);
  return after;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return kUsage;
  g_seconds = std::atol(argv[1]);
  bool restarts = false;
  for (const char* flag : std::span(argv, static_cast<size_t>(argc)).subspan(2)) {
    restarts |= std::string_view(flag) == "--restart";
    g_without_aio |= std::string_view(flag) == "--no-aio";
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  struct sigaction action{};
  action.sa_handler = [](int) {};
  action.sa_flags = restarts ? SA_RESTART : 0;
  sigaction(kWake, &action, nullptr);
  sigset_t mask = program_signals();
  sigaddset(&mask, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &mask, nullptr);
  void* shared =
      mmap(nullptr, sizeof(Outcomes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto& outcomes = *new (shared) Outcomes{};
  start(outcomes);
  std::printf("calls: ready, count=%zu\n", kCount);

  const sigset_t asked = program_signals();
  for (;;) {
    const int signal = sigwaitinfo(&asked, nullptr);
    if (signal == SIGTERM) break;
    if (signal < 0) {
      std::printf("calls: HARMED: the main thread's sigwaitinfo: %s\n", std::strerror(errno));
      return kHarmed;
    }
    const Verdict now(outcomes, false, restarts);
    std::printf("calls: so far %s\n", now.is_fine() ? "fine" : "not fine");
  }
  const bool fine = final_verdict(outcomes, restarts).is_fine();
  std::printf("calls: %s\n", fine ? "fine" : "not fine");
  return fine ? kFine : kHarmed;
}
