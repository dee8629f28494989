// Tasks that are held by ptrace(2) when they are killed.
#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <thread>

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

}  // namespace
}  // namespace still::memory
