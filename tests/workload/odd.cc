// Is in a state that CRIU cannot hold, or cannot bring back. Says "ready", and after that "gap N
// ms" whenever it stood still for two seconds. See --help.

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "flags.h"

namespace {

using Clock = std::chrono::steady_clock;

void check(long result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
}

// Whether the rules still hold that it has been given; it says "lost" when they do not.
std::function<bool()> g_rules_hold = [] { return true; };

[[noreturn]] void watch_the_clock() {
  constexpr auto kStep = std::chrono::milliseconds(5);
  constexpr auto kGap = std::chrono::seconds(2);
  std::puts("ready");
  for (auto before = Clock::now();;) {
    std::this_thread::sleep_for(kStep);
    const auto now = Clock::now();
    const auto gap = std::chrono::duration_cast<std::chrono::milliseconds>(now - before);
    if (gap > kGap) std::printf("gap %ld ms\n", static_cast<long>(gap.count()));
    before = now;
    if (!g_rules_hold()) {
      std::puts("lost");
      g_rules_hold = [] { return true; };
    }
  }
}

// Its child is traced by it, as by a debugger.
void trace_a_child() {
  const pid_t child = ::fork();
  check(child, "fork");
  if (child == 0) {
    for (;;) ::pause();
  }
  check(::ptrace(PTRACE_SEIZE, child, nullptr, nullptr), "ptrace");
}

// Whoever opens the file waits for an answer of this process, which gives none.
void ask_for_permission(const std::string& file) {
  const int group = ::fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY);
  check(group, "fanotify_init");
  check(::fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, file.c_str()),
        "fanotify_mark");
}

// Its other thread makes children by vfork(2) that live for so long, and rests as long in between.
void spawn_without_end(std::chrono::microseconds time) {
  std::thread([time] {
    for (;;) {
      const pid_t child = ::vfork();
      if (child == 0) {
        ::usleep(static_cast<useconds_t>(time.count()));
        ::_exit(0);
      }
      if (child > 0) ::waitpid(child, nullptr, 0);
      std::this_thread::sleep_for(time);
    }
  }).detach();
}

// Calls outside of a moment are signals to it, as Wine has it. Looks whether that is still so.
void dispatch_calls() {
  static volatile char selector = SYSCALL_DISPATCH_FILTER_ALLOW;
  static volatile int signals = 0;
  struct sigaction action{};
  action.sa_sigaction = [](int, siginfo_t*, void*) {
    signals = signals + 1;
    selector = SYSCALL_DISPATCH_FILTER_ALLOW;
  };
  action.sa_flags = SA_SIGINFO;
  check(::sigaction(SIGSYS, &action, nullptr), "sigaction");
  std::thread([] {
    check(::prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &selector), "prctl");
    for (;;) {
      const int before = signals;
      selector = SYSCALL_DISPATCH_FILTER_BLOCK;
      // Long enough to be stopped here mostly.
      const auto end = Clock::now() + std::chrono::milliseconds(200);
      while (Clock::now() < end) {
      }
      ::syscall(SYS_getpid);
      selector = SYSCALL_DISPATCH_FILTER_ALLOW;
      if (signals != before + 1) std::printf("fault: %d signals\n", signals - before);
      ::usleep(1000);
    }
  }).detach();
}

// A filter of system calls that does this with all but a few.
void filter_calls(uint32_t action, unsigned flags = 0) {
  constexpr std::array<uint32_t, 13> kAllowed = {SYS_clock_nanosleep,
                                                 SYS_write,
                                                 SYS_exit_group,
                                                 SYS_rt_sigreturn,
                                                 SYS_futex,
                                                 SYS_clock_gettime,
                                                 SYS_close,
                                                 SYS_restart_syscall,
                                                 SYS_munmap,
                                                 SYS_fstat,
                                                 SYS_newfstatat,
                                                 SYS_ioctl,
                                                 SYS_prctl};
  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (size_t i = 0; i < kAllowed.size(); ++i) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kAllowed[i],
                               static_cast<uint8_t>(kAllowed.size() - i), 0));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, action));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl");
  check(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter), "seccomp");
  g_rules_hold = [] { return ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == SECCOMP_MODE_FILTER; };
}

void seal_memory() {
  constexpr long kMseal = 462;
  constexpr size_t kSize = size_t{1} << 20;
  void* memory = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::memset(memory, 1, kSize);
  check(::syscall(kMseal, memory, kSize, 0), "mseal");
  g_rules_hold = [memory] { return ::mprotect(memory, kSize, PROT_READ) != 0; };
}

void deny_writable_code() {
  constexpr int kSetMdwe = 65;
  constexpr int kGetMdwe = 66;
  check(::prctl(kSetMdwe, 1, 0, 0, 0), "prctl");
  g_rules_hold = [] { return ::prctl(kGetMdwe, 0, 0, 0, 0) == 1; };
}

void change_personality() {
  constexpr unsigned long kPersonality = READ_IMPLIES_EXEC | ADDR_NO_RANDOMIZE;
  constexpr unsigned long kAsk = 0xffffffff;
  check(::personality(kPersonality), "personality");
  g_rules_hold = [] { return ::personality(kAsk) == static_cast<int>(kPersonality); };
}

// What changes the calls that it makes, or those that others would have it make.
void set_rules(const std::string& rules) {
  static const std::map<std::string, std::function<void()>> kRules = {
      {"kill", [] { filter_calls(SECCOMP_RET_KILL_PROCESS); }},
      {"errno", [] { filter_calls(SECCOMP_RET_ERRNO | EPERM); }},
      {"trap", [] { filter_calls(SECCOMP_RET_TRAP); }},
      {"trace", [] { filter_calls(SECCOMP_RET_TRACE); }},
      {"notify", [] { filter_calls(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER); }},
      {"notify-unheard", [] { filter_calls(SECCOMP_RET_USER_NOTIF); }},
      {"mdwe", deny_writable_code},
      {"sealed", seal_memory},
      {"personality", change_personality},
      {"dispatch", dispatch_calls}};
  kRules.at(rules)();
}

// What CRIU would have to execute is nowhere but in memory. With the argument that it gets it goes
// on to watch the clock.
[[noreturn]] void run_from_memory(char* program) {
  const int memory = ::memfd_create("program", 0);
  const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  check(memory, "memfd_create");
  check(file, program);
  std::array<char, 1 << 16> buffer{};
  for (ssize_t got = 0; (got = ::read(file, buffer.data(), buffer.size())) > 0;) {
    check(::write(memory, buffer.data(), static_cast<size_t>(got)), "write");
  }
  std::array<char, 6> state{"watch"};
  std::array<char, 2> detail{"-"};
  const std::array<char*, 4> arguments{program, state.data(), detail.data(), nullptr};
  check(::fexecve(memory, arguments.data(), environ), "fexecve");
  std::abort();
}

// The kernel has the file by a descriptor that is another one now, or none.
void wait_for_what_is_closed() {
  const int set = ::epoll_create1(0);
  const int file = ::eventfd(0, 0);
  epoll_event event{.events = EPOLLIN, .data = {}};
  check(::epoll_ctl(set, EPOLL_CTL_ADD, file, &event), "epoll_ctl");
  const int twice = ::dup(file);
  check(::epoll_ctl(set, EPOLL_CTL_ADD, twice, &event), "epoll_ctl");
  ::close(twice);
}

// As long as nobody opens the file. Whoever does has to wait for this process.
void lease(const std::string& file) {
  static volatile sig_atomic_t broken = 0;
  check(std::signal(SIGIO, [](int) { broken = 1; }) == SIG_ERR ? -1 : 0, "signal");
  const int leased = ::open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  check(leased, file.c_str());
  check(::write(leased, "lease", 5), "write");
  check(::fcntl(leased, F_SETLEASE, F_WRLCK), "F_SETLEASE");
  g_rules_hold = [leased] { return broken == 0 && ::fcntl(leased, F_GETLEASE) == F_WRLCK; };
}

// Lines were written in a terminal, and one was typed, and nobody has read either.
void leave_terminal_unread() {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  check(master, "posix_openpt");
  check(::unlockpt(master), "unlockpt");
  const int slave = ::open(::ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  check(slave, "open");
  check(::write(slave, "one\ntwo\n", 8), "write");
  check(::write(master, "typed\n", 6), "write");
  g_rules_hold = [master, slave] {  // the echo as well
    int written = 0;
    int typed = 0;
    return ::ioctl(master, FIONREAD, &written) == 0 && written == 17 &&
           ::ioctl(slave, FIONREAD, &typed) == 0 && typed == 6;
  };
}

// Of the kernel, about network interfaces; the answer stays where it is.
void leave_netlink_unread() {
  const int socket = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  check(socket, "socket");
  struct {
    nlmsghdr header;
    rtgenmsg message;
  } question{};
  question.header.nlmsg_len = sizeof question;
  question.header.nlmsg_type = RTM_GETLINK;
  question.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  check(::send(socket, &question, sizeof question, 0), "send");
}

void hold_a_datagram_back() {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  check(socket, "socket");
  const int on = 1;
  check(::setsockopt(socket, SOL_UDP, UDP_CORK, &on, sizeof on), "UDP_CORK");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  address.sin_port = ::htons(7000);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  check(::sendto(socket, "half", 4, 0, generic, sizeof address), "sendto");
}

// A client has written, and its connection waits to be accepted.
void leave_a_client_unaccepted() {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = "/tmp/listening"};
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int client = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  check(listener, "socket");
  check(client, "socket");
  check(::bind(listener, generic, sizeof address), "bind");
  check(::listen(listener, 1), "listen");
  check(::connect(client, generic, sizeof address), "connect");
  check(::send(client, "hello", 5, 0), "send");
}

// Descriptors that CRIU does not bring back.
void have(const std::string& kind) {
  static const std::map<std::string, std::function<void()>> kKinds = {
      {"terminal", leave_terminal_unread},
      {"semaphore", [] { check(::eventfd(2, EFD_SEMAPHORE), "eventfd"); }},
      {"packets",
       [] {
         std::array<int, 2> ends{};
         check(::pipe2(ends.data(), O_DIRECT), "pipe2");
       }},
      {"pidfd",
       [] { check(::syscall(SYS_pidfd_open, ::getpid(), O_EXCL), "pidfd_open of a thread"); }},
      {"guards",
       [] {
         constexpr size_t kBytes = 1 << 20;
         constexpr int kInstall = 102;  // MADV_GUARD_INSTALL since Linux 6.13
         void* memory =
             ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         check(memory == MAP_FAILED ? -1 : 0, "mmap");
         check(::madvise(memory, kBytes / 2, kInstall), "madvise");
       }},
      {"no-descriptors",
       [] {
         while (::dup(0) >= 0) continue;
       }},
      {"queue", [] { check(::mq_open("/queue", O_CREAT | O_RDWR, 0600, nullptr), "mq_open"); }},
      {"exit-signal",
       [] {
         const long child = ::syscall(SYS_clone, SIGUSR2, nullptr, nullptr, nullptr, nullptr);
         check(child, "clone");
         while (child == 0) ::pause();
       }},
      {"netlink", leave_netlink_unread},
      {"corked", hold_a_datagram_back},
      {"unaccepted", leave_a_client_unaccepted},
      {"mptcp", [] { check(::socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP), "socket"); }},
      {"landlock", [] {
         const std::array<uint64_t, 1> rules{1};
         check(::syscall(SYS_landlock_create_ruleset, rules.data(), sizeof rules, 0), "landlock");
       }}};
  kKinds.at(kind)();
}

// Says "seen NAME" for every file that is made in one of the directories.
void watch(const std::string& directories) {
  const int watches = ::inotify_init1(IN_CLOEXEC);
  check(watches, "inotify_init1");
  std::istringstream list(directories);
  for (std::string directory; std::getline(list, directory, ',');) {
    check(::inotify_add_watch(watches, directory.c_str(), IN_CREATE), directory.c_str());
  }
  std::thread([watches] {
    alignas(inotify_event) std::array<char, 4096> buffer{};
    for (ssize_t got = 0; (got = ::read(watches, buffer.data(), buffer.size())) > 0;) {
      for (ssize_t at = 0; at < got;) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
        std::printf("seen %s\n", event->len > 0 ? event->name : "");
        at += static_cast<ssize_t>(sizeof *event) + event->len;
      }
    }
  }).detach();
}

// A thread has of its own what threads share (unshare(2)).
void separate_a_thread(const std::string& what) {
  static const std::map<std::string, int> kKinds = {
      {"directory", CLONE_FS}, {"descriptors", CLONE_FILES}, {"hostname", CLONE_NEWUTS}};
  static std::atomic<bool> is_separate = false;
  std::thread([kind = kKinds.at(what)] {
    check(::unshare(kind), "unshare");
    is_separate = true;
    for (;;) ::pause();
  }).detach();
  while (!is_separate) std::this_thread::yield();
}

// The other thread goes on.
[[noreturn]] void end_the_main_thread() {
  std::thread(watch_the_clock).detach();
  ::pthread_exit(nullptr);
}

}  // namespace

int main(int argc, char** argv) try {
  workload::Flags flags(
      "traced|headless|permission|vfork|rules|memfd|epoll|lease|have|inotify|thread|watch DETAIL",
      "Is in a state that CRIU cannot hold, or cannot bring back, until it is killed.",
      "traced      one of its processes traces the other\n"
      "headless    its main thread has ended\n"
      "permission  whoever opens the file DETAIL waits for its permission (fanotify)\n"
      "vfork       a thread waits for children of vfork, each for DETAIL microseconds\n"
      "rules       it lives by other rules, DETAIL: most of its calls are filtered (kill, errno, "
      "trap, trace,\n"
      "            notify, notify-unheard) or signals to it (dispatch); mdwe, sealed, personality\n"
      "memfd       its program is in memory alone\n"
      "epoll       an epoll set has a file by a descriptor that is closed\n"
      "lease       it has a write lease on the file DETAIL\n"
      "have        it has DETAIL: terminal (nobody reads it), semaphore, packets, pidfd, mptcp, "
      "landlock, guards,\n"
      "            no-descriptors, queue, exit-signal\n"
      "inotify     it watches the directories DETAIL (with commas), and says which files are made\n"
      "thread      a thread has DETAIL of its own: directory, descriptors, hostname\n"
      "watch       nothing is odd\n"
      "The others have no use for DETAIL.");
  const auto words = flags.parse(argc, argv, 2);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (words[0] == "headless") end_the_main_thread();
  if (words[0] == "memfd") run_from_memory(argv[0]);
  if (words[0] == "epoll") wait_for_what_is_closed();
  if (words[0] == "traced") trace_a_child();
  if (words[0] == "permission") ask_for_permission(words[1]);
  if (words[0] == "rules") set_rules(words[1]);
  if (words[0] == "lease") lease(words[1]);
  if (words[0] == "have") have(words[1]);
  if (words[0] == "inotify") watch(words[1]);
  if (words[0] == "thread") separate_a_thread(words[1]);
  if (words[0] == "vfork") spawn_without_end(std::chrono::microseconds(std::stoll(words[1])));
  watch_the_clock();
} catch (const std::exception& error) {
  std::fprintf(stderr, "odd: %s\n", error.what());
  return 1;
}
