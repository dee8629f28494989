// Tasks that are held by ptrace(2) when they are killed.
#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <thread>

#include "base/format.h"
#include "memory/tracee.h"
#include "memory/tracer.h"
#include "os/files.h"
#include "support.h"

namespace still::memory {
namespace {

using namespace std::chrono_literals;

[[noreturn]] void live() {
  for (;;) ::pause();
}

// A pid namespace with its init and one process more.
class Family {
 public:
  Family() {
    const Pipe pipe = make_pipe();
    starter_ = ::fork();
    if (starter_ == 0) start(pipe.write_end);
    EXPECT_EQ(::read(pipe.read_end.get(), &pids_, sizeof pids_), ssize_t{sizeof pids_});
  }
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;
  ~Family() {
    ::kill(init(), SIGKILL);
    ::waitpid(starter_, nullptr, 0);
  }

  pid_t init() const { return pids_.init; }
  pid_t process() const { return pids_.process; }

 private:
  struct Pids {
    pid_t init;
    pid_t process;
  };

  [[noreturn]] static void start(const Fd& to) {
    if (::unshare(CLONE_NEWPID) != 0) ::_exit(1);
    Pids pids{};
    for (pid_t* pid : {&pids.init, &pids.process}) {
      *pid = ::fork();
      if (*pid == 0) live();
    }
    const bool told = ::write(to.get(), &pids, sizeof pids) == ssize_t{sizeof pids};
    while (::wait(nullptr) > 0) {
    }
    ::_exit(told ? 0 : 1);
  }

  pid_t starter_ = 0;
  Pids pids_{};
};

// An init that ends waits for all processes of its namespace, and one that is held waits to be
// asked how it is.
class KilledInit : public testing::Test {
 protected:
  void SetUp() override { STILL_REQUIRE_ROOT(); }

  // With both of them held.
  static void hold(const std::function<void(Tracee& init, Tracee& process)>& test) {
    const Family family;
    Tracer().run([&] {
      auto process = Tracee::seize(family.process());
      auto init = Tracee::seize(family.init());
      ASSERT_TRUE(process && init);
      test(*init, *process);
    });
  }
};

TEST_F(KilledInit, IsSeenToEndBeforeItHasStopped) {
  hold([](Tracee& init, Tracee& process) {
    Tracee::wait_until_stopped({&process}, deadline_in(5s));
    ::kill(init.tid(), SIGKILL);
    Tracee::wait_until_stopped({&init}, deadline_in(5s));
    EXPECT_TRUE(init.has_ended());
  });
}

TEST_F(KilledInit, IsSeenToEndInACall) {
  hold([](Tracee& init, Tracee& process) {
    Tracee::wait_until_stopped({&process, &init}, deadline_in(5s));
    auto registers = init.registers();
    registers.rip -= 2;  // it is in pause(2): back to the instruction
    registers.rax = SYS_pause;
    registers.orig_rax = static_cast<unsigned long long>(-1);
    init.set_registers(registers);
    const std::jthread killer([pid = init.tid()] {
      std::this_thread::sleep_for(100ms);
      ::kill(pid, SIGKILL);
    });
    EXPECT_EQ(test::kind_thrown_by([&] { init.run_system_call(deadline_in(5s)); }),
              ErrorKind::kConflict);
  });
}

// A process that makes one call, which only a signal is to end.
class Waiting {
 public:
  explicit Waiting(const std::function<long()>& call) : pid_(::fork()) {
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &action, nullptr);
    ::_exit(call() == -1 && errno == EINTR ? kInterrupted : kReturned);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  pid_t pid() const { return pid_; }
  // Within 5 s.
  bool is_in(long call) const {
    for (int i = 0; i < 5000; ++i) {
      const auto text = read_file_if_exists(formatted("/proc/{}/syscall", pid_)).value_or("");
      if (text.starts_with(formatted("{} ", call))) return true;
      std::this_thread::sleep_for(1ms);
    }
    return false;
  }
  bool has_ended() const { return ::waitpid(pid_, nullptr, WNOHANG) != 0; }
  int wait_for_end() const {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    return WEXITSTATUS(status);
  }

  static constexpr int kReturned = 1, kInterrupted = 2;

 private:
  pid_t pid_;
};

class StoppedCall : public testing::Test {
 protected:
  void SetUp() override { STILL_REQUIRE_ROOT(); }

  static void stop(const Waiting& waiting) {
    Tracer().run([&] {
      auto thread = Tracee::seize(waiting.pid());
      ASSERT_TRUE(thread);
      Tracee::wait_until_stopped({&*thread}, deadline_in(5s));
    });
  }
  static void expect_to_go_on(long number, const std::function<long()>& call) {
    const Waiting waiting(call);
    for (int round = 0; round < 3; ++round) {
      ASSERT_TRUE(waiting.is_in(number));
      stop(waiting);
    }
    std::this_thread::sleep_for(50ms);
    EXPECT_FALSE(waiting.has_ended());
    ::kill(waiting.pid(), SIGUSR1);
    EXPECT_EQ(waiting.wait_for_end(), Waiting::kInterrupted);
  }
};

TEST_F(StoppedCall, GoesOnThoughToBeWokenEndsIt) {
  expect_to_go_on(SYS_epoll_wait, [] {
    epoll_event event{};
    return ::syscall(SYS_epoll_wait, ::epoll_create1(0), &event, 1, -1);
  });
  expect_to_go_on(SYS_rt_sigtimedwait, [] {
    const uint64_t set = uint64_t{1} << (SIGUSR2 - 1);
    return ::syscall(SYS_rt_sigtimedwait, &set, nullptr, nullptr, sizeof set);
  });
}

TEST_F(StoppedCall, EndsByASignalThatCameMeanwhile) {
  const Waiting waiting([] {
    epoll_event event{};
    return ::syscall(SYS_epoll_wait, ::epoll_create1(0), &event, 1, -1);
  });
  ASSERT_TRUE(waiting.is_in(SYS_epoll_wait));
  Tracer().run([&] {
    auto thread = Tracee::seize(waiting.pid());
    ASSERT_TRUE(thread);
    Tracee::wait_until_stopped({&*thread}, deadline_in(5s));
    ::kill(waiting.pid(), SIGUSR1);
  });
  EXPECT_EQ(waiting.wait_for_end(), Waiting::kInterrupted);
}

}  // namespace
}  // namespace still::memory
