// A process that does what it is told, one thing after the other, and stands still in between.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <utility>
#include <vector>

#include "os/fd.h"

namespace still::test {

class ToldProcess {
 public:
  using Work = std::function<void()>;

  // fork: as fork(2).
  explicit ToldProcess(const std::vector<Work>& works, const std::function<pid_t()>& fork = ::fork)
      : commands_(make_pipe()), answers_(make_pipe()), pid_(fork()) {
    if (pid_ == 0) live(works);
  }
  ToldProcess(const ToldProcess&) = delete;
  ToldProcess& operator=(const ToldProcess&) = delete;
  ~ToldProcess() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  pid_t pid() const { return pid_; }
  void work(unsigned char number) {
    EXPECT_EQ(::write(commands_.write_end.get(), &number, 1), 1);
    EXPECT_EQ(::read(answers_.read_end.get(), &number, 1), 1);
  }

 private:
  [[noreturn]] void live(const std::vector<Work>& works) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    unsigned char number = 0;
    while (::read(commands_.read_end.get(), &number, 1) == 1) {
      works[number]();
      if (::write(answers_.write_end.get(), &number, 1) != 1) break;
    }
    ::_exit(1);
  }

  Pipe commands_, answers_;
  const pid_t pid_;
};

}  // namespace still::test
