#include "memory/births.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "base/error.h"
#include "base/format.h"
#include "os/files.h"

namespace still::memory {
namespace {

constexpr timeval kAnswerTimeout{.tv_sec = 1, .tv_usec = 0};

void make_child_answer(int socket) {
  const pid_t child = ::fork();
  if (child == 0) {
    const pid_t number = ::getpid();
    ::_exit(::write(socket, &number, sizeof number) == sizeof number ? 0 : 1);
  }
  if (child < 0) ::_exit(1);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

// Small, as what it forks has to be quick; system calls only, and nothing of ours stays open in it.
[[noreturn]] void answer(int space, int socket) {
  const bool is_there =
      ::setns(space, CLONE_NEWPID) == 0 && ::dup2(socket, STDIN_FILENO) == STDIN_FILENO;
  ::syscall(SYS_close_range, STDIN_FILENO + 1, UINT_MAX, 0);
  char question = 0;
  while (is_there && ::read(STDIN_FILENO, &question, 1) == 1) make_child_answer(STDIN_FILENO);
  ::_exit(0);
}

}  // namespace

Births::Births(pid_t process) {
  const Fd space = open_file(formatted("/proc/{}/ns/pid", process), O_RDONLY);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    throw Error::system(errno, "cannot make a socket");
  }
  helper_socket_.emplace(ends[0]);
  const Fd its(ends[1]);
  ::setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &kAnswerTimeout, sizeof kAnswerTimeout);
  helper_ = ::fork();
  if (helper_ < 0) throw Error::system(errno, "cannot fork");
  if (helper_ == 0) answer(space.get(), its.get());
}

Births::~Births() {
  ::kill(helper_, SIGKILL);
  while (::waitpid(helper_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

pid_t Births::ask() {
  if (!helper_socket_) return 0;
  pid_t number = 0;
  if (::send(helper_socket_->get(), "?", 1, MSG_NOSIGNAL) == 1 &&
      ::recv(helper_socket_->get(), &number, sizeof number, 0) == sizeof number) {
    return number;
  }
  helper_socket_.reset();
  return 0;
}

bool Births::none_since() {
  const pid_t before = last_;
  last_ = ask();
  return before > 0 && last_ == before + 1;
}

}  // namespace still::memory
