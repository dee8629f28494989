// Preloaded into CRIU alone: a thread may have its system calls sent to itself as signals (syscall
// user dispatch: prctl(2), PR_SET_SYSCALL_USER_DISPATCH; Wine does that). The first call that CRIU
// had it make would end it. The kernel tells it of threads that are stopped, and only then (since
// Linux 6.4), so each is asked when CRIU has stopped it, before anything is changed in any of them.
// What CRIU is doing ends then (deadline.cc), and the thread's number is in the file that
// STILL_CRIU_DISPATCHING names.

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "criu/preload/preload.h"

namespace {

// linux/ptrace.h, which cannot be included beside sys/ptrace.h.
constexpr unsigned kGetDispatch = 0x4211;
struct Dispatch {
  uint64_t mode;  // 0: off
  uint64_t selector;
  uint64_t offset;
  uint64_t length;
};

void tell(pid_t thread) {
  const char* path = ::getenv("STILL_CRIU_DISPATCHING");
  if (path == nullptr) return;
  const long file =
      ::syscall(SYS_open, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return;
  char text[32];
  const int length = std::snprintf(text, sizeof text, "%d\n", thread);
  ::syscall(SYS_write, file, text, length);
  ::syscall(SYS_close, file);
}

}  // namespace

bool bears_system_calls(pid_t thread) {
  Dispatch dispatch = {};
  // Raw, for nothing of ours is to see it. An error: the kernel does not tell.
  if (::syscall(SYS_ptrace, kGetDispatch, thread, sizeof dispatch, &dispatch) != 0 ||
      dispatch.mode == 0) {
    return true;
  }
  tell(thread);
  return false;
}
