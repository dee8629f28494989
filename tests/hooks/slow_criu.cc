// Preloaded into CRIU behind src/criu/preload, in fault tests: makes it slow, or stops it, at a
// stage of a dump. STILL_TEST_CRIU_AT names the stage, STILL_TEST_CRIU_DO what happens there:
// "stop" (as by SIGSTOP from somebody), or a number of milliseconds that it sleeps at each such
// step. Stages: "seize" each task, "inject" what it writes into one, "image" each file it makes,
// "detach" each task.

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace {

void reach(const char* stage) {
  const char* at = ::getenv("STILL_TEST_CRIU_AT");
  const char* what = ::getenv("STILL_TEST_CRIU_DO");
  if (at == nullptr || what == nullptr || std::strcmp(at, stage) != 0 ||
      std::strcmp(program_invocation_short_name, "criu") != 0) {
    return;
  }
  const int error = errno;
  static bool was_stopped = false;
  if (std::strcmp(what, "stop") == 0) {
    if (!was_stopped) {
      was_stopped = true;
      ::raise(SIGSTOP);
    }
  } else {
    const long milliseconds = std::atol(what);
    timespec rest{.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1'000'000};
    while (::nanosleep(&rest, &rest) != 0 && errno == EINTR) {
    }
  }
  errno = error;
}

template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

EXPORTED long ptrace_of_test(int request, ...) noexcept __asm__("ptrace");

long ptrace_of_test(int request, ...) noexcept {
  va_list arguments;
  va_start(arguments, request);
  const pid_t task = va_arg(arguments, pid_t);
  void* address = va_arg(arguments, void*);
  void* data = va_arg(arguments, void*);
  va_end(arguments);
  if (request == PTRACE_SEIZE) reach("seize");
  if (request == PTRACE_POKEDATA) reach("inject");
  if (request == PTRACE_DETACH) reach("detach");
  return next<long(int, pid_t, void*, void*)>("ptrace")(request, task, address, data);
}

EXPORTED int openat64(int directory, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  if ((flags & O_CREAT) != 0) reach("image");
  return next<int(int, const char*, int, mode_t)>("openat64")(directory, path, flags, mode);
}
