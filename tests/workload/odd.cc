// Is in a state in which CRIU cannot hold it. Says "ready", and after that "gap N ms" whenever it
// stood still for two seconds. See --help.

#include <fcntl.h>
#include <pthread.h>
#include <sys/fanotify.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <exception>
#include <string>
#include <system_error>
#include <thread>

#include "flags.h"

namespace {

using Clock = std::chrono::steady_clock;

void check(long result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
}

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

// The other thread goes on.
[[noreturn]] void end_the_main_thread() {
  std::thread(watch_the_clock).detach();
  ::pthread_exit(nullptr);
}

}  // namespace

int main(int argc, char** argv) try {
  workload::Flags flags(
      "traced|headless|permission|vfork DETAIL",
      "Is in a state in which CRIU cannot hold it, until it is killed.",
      "traced      one of its processes traces the other\n"
      "headless    its main thread has ended\n"
      "permission  whoever opens the file DETAIL waits for its permission (fanotify)\n"
      "vfork       a thread waits for children of vfork, each for DETAIL microseconds\n"
      "The others have no use for DETAIL.");
  const auto words = flags.parse(argc, argv, 2);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (words[0] == "headless") end_the_main_thread();
  if (words[0] == "traced") trace_a_child();
  if (words[0] == "permission") ask_for_permission(words[1]);
  if (words[0] == "vfork") spawn_without_end(std::chrono::microseconds(std::stoll(words[1])));
  watch_the_clock();
} catch (const std::exception& error) {
  std::fprintf(stderr, "odd: %s\n", error.what());
  return 1;
}
