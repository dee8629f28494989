// Closes things all the time, and looks whether they are closed: ports, locks, pipes, connections,
// places in epoll sets. Whoever holds a copy of a descriptor keeps them open. It also waits for
// children of every kind, of which it has none: it must not get one.
//
// closer MIB: it holds so much memory, for a copy that takes a while. SIGTERM ends it. Exit codes:
// 0 fine, 3 something was not closed.

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

using std::chrono::milliseconds;

constexpr int kFine = 0, kUsage = 2, kHarmed = 3, kFailed = 4;
constexpr milliseconds kMoment{20};  // of which a checkpoint has many

std::atomic<bool> g_stop = false;
std::atomic<long> g_rounds = 0;
std::atomic<int> g_harmed = 0;

void complain(const std::string& what) {
  std::printf("closer: HARMED: %s: %s\n", what.c_str(), std::strerror(errno));
  ++g_harmed;
}

// So that it is there when a checkpoint comes.
void hold_for_a_moment() { std::this_thread::sleep_for(kMoment); }

int opened(int fd, const char* what) {
  if (fd >= 0) return fd;
  std::perror(what);
  _exit(kFailed);
}

void bind_a_port() {
  const int server = opened(socket(AF_INET, SOCK_STREAM, 0), "socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(7777);
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  if (bind(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(server, 1) != 0) {
    complain("a port whose socket was closed cannot be bound");
  }
  hold_for_a_moment();
  close(server);
}

void lock(const char* path, const std::function<int(int)>& take) {
  const int file = opened(open(path, O_RDWR | O_CREAT, 0600), path);
  if (take(file) != 0) complain(std::string(path) + ", which was closed, is locked");
  hold_for_a_moment();
  close(file);
}
void take_flock() {
  lock("/tmp/flock", [](int file) { return flock(file, LOCK_EX | LOCK_NB); });
}
void take_open_file_lock() {
  lock("/tmp/ofd", [](int file) {
    struct flock whole{};
    whole.l_type = F_WRLCK;
    return fcntl(file, F_OFD_SETLK, &whole);
  });
}

void see_the_end(int ours, int theirs, const char* what) {
  hold_for_a_moment();
  close(theirs);
  pollfd end{ours, POLLIN, 0};
  if (poll(&end, 1, 0) != 1) complain(what);
  close(ours);
}
void end_a_pipe() {
  int ends[2];
  opened(pipe(ends), "pipe");
  see_the_end(ends[0], ends[1], "a pipe that was closed has no end");
}
void end_a_connection() {
  int ends[2];
  opened(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
  see_the_end(ends[0], ends[1], "a connection that was closed has no end");
}

void leave_an_epoll_set() {
  const int set = opened(epoll_create1(0), "epoll_create1");
  int ends[2];
  opened(pipe(ends), "pipe");
  epoll_event event{};
  event.events = EPOLLIN;
  epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event);
  hold_for_a_moment();
  if (write(ends[1], "x", 1) != 1) complain("a pipe cannot be written to");
  close(ends[0]);
  close(ends[1]);
  if (epoll_wait(set, &event, 1, 0) > 0) complain("epoll reports a descriptor that was closed");
  close(set);
}

void wait_for_children() {
  if (waitpid(-1, nullptr, WNOHANG) == 0) complain("there is a child");
  if (waitpid(-1, nullptr, WNOHANG | __WALL) > 0) complain("a child has ended");
  std::this_thread::sleep_for(milliseconds(1));
}

void repeat(void (*work)()) {
  while (!g_stop) {
    work();
    ++g_rounds;
  }
}

std::vector<unsigned> memory(size_t mib) {
  std::vector<unsigned> words((mib << 20) / sizeof(unsigned));
  std::minstd_rand random(1);
  for (unsigned& word : words) word = static_cast<unsigned>(random());
  return words;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return kUsage;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::signal(SIGTERM, [](int) { g_stop = true; });
  const auto held = memory(static_cast<size_t>(std::atol(argv[1])));
  std::vector<std::jthread> lanes;
  for (const auto work : {bind_a_port, take_flock, take_open_file_lock, end_a_pipe,
                          end_a_connection, leave_an_epoll_set, wait_for_children}) {
    lanes.emplace_back(repeat, work);
  }
  std::printf("closer: ready=%zu\n", held.size());
  lanes.clear();
  std::printf("closer: rounds=%ld harmed=%d\n", g_rounds.load(), g_harmed.load());
  return g_harmed == 0 ? kFine : kHarmed;
}
