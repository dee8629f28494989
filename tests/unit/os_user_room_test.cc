// What RLIMIT_NPROC leaves to processes.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/user_room.h"
#include "support.h"

namespace still {
namespace {

constexpr uid_t kUser = 54'321;  // that nobody else is

// A process that sleeps, with a limit, as a user.
class Sleeper {
 public:
  Sleeper(rlim_t limit, uid_t user) {
    const Pipe pipe = make_pipe();
    pid_ = ::fork();
    if (pid_ == 0) {
      const rlimit both{limit, limit};
      const bool done = ::setrlimit(RLIMIT_NPROC, &both) == 0 && ::setresuid(user, user, user) == 0;
      if (!done || ::write(pipe.write_end.get(), "x", 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    char byte = 0;
    EXPECT_EQ(::read(pipe.read_end.get(), &byte, 1), 1);
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  ~Sleeper() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

class UserRoom : public testing::Test {
 protected:
  void SetUp() override { STILL_REQUIRE_ROOT(); }
};

TEST_F(UserRoom, IsWhatTheLeastLimitLeaves) {
  const Sleeper one(50, kUser);
  EXPECT_EQ(user_room({one.pid()}), 49U);
  const Sleeper two(40, kUser);
  EXPECT_EQ(user_room({one.pid(), two.pid()}), 38U);
  EXPECT_EQ(user_room({one.pid()}), 48U);
  const Sleeper over(1, kUser);
  EXPECT_EQ(user_room({over.pid()}), 0U);
}

TEST_F(UserRoom, IsWithoutEndForRootAndWithoutALimit) {
  const Sleeper root(50, 0);
  EXPECT_EQ(user_room({root.pid()}), UINT64_MAX);
  EXPECT_EQ(user_room({}), UINT64_MAX);
}

}  // namespace
}  // namespace still
