#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "checkpoint/threads.h"
#include "support.h"

namespace still::checkpoint {
namespace {

// A process that does this, and says when it may be looked at.
class Subject {
 public:
  explicit Subject(const std::function<void(const std::function<void()>& ready)>& work) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      work([&] { EXPECT_EQ(::write(ends[1], "r", 1), 1); });
      ::_exit(0);
    }
    char ready = 0;
    EXPECT_EQ(::read(ends[0], &ready, 1), 1);
    ::close(ends[0]);
    ::close(ends[1]);
  }
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;
  ~Subject() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

std::string own_of_thread_with(int unshared) {
  const Subject subject([&](const auto& ready) {
    std::thread([&] {
      if (::unshare(unshared) == 0) ready();
      ::pause();
    }).join();
  });
  const auto found = find_separate({::getpid(), subject.pid()});
  EXPECT_TRUE(!found || found->task != subject.pid());
  return found ? found->words : "";
}

TEST(Separate, ThreadsThatShareLessThanCriuTakesForGranted) {
  STILL_REQUIRE_ROOT();
  EXPECT_EQ(own_of_thread_with(CLONE_FILES), "a table of descriptors");
  EXPECT_EQ(own_of_thread_with(CLONE_FS), "a working directory, root or umask");
  EXPECT_EQ(own_of_thread_with(CLONE_NEWUTS), "a uts namespace");
  EXPECT_EQ(own_of_thread_with(0), "");
}

TEST(Separate, ProcessesInNamespacesWithinThoseOfTheFirst) {
  STILL_REQUIRE_ROOT();
  const Subject subject([](const auto& ready) {
    if (::unshare(CLONE_NEWIPC | CLONE_NEWNS) == 0) ready();
    ::pause();
  });
  const auto found = find_separate({::getpid(), subject.pid()});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->task, subject.pid());
  EXPECT_EQ(found->words, "an ipc namespace");
  EXPECT_FALSE(find_separate({subject.pid()}));
}

TEST(Separate, ThreadsThatEndHaveNothingOfTheirOwn) {
  const Subject subject([](const auto& ready) {
    ready();
    for (;;) std::thread([] {}).join();
  });
  for (int look = 0; look < 2000; ++look) {
    const auto found = find_separate({subject.pid()});
    ASSERT_FALSE(found) << found->words;
  }
}

}  // namespace
}  // namespace still::checkpoint
