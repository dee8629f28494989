#include "os/forked.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace still {

int run_forked(const std::function<bool()>& action) {
  const pid_t child = ::fork();
  if (child < 0) throw Error::system(errno, "cannot fork");
  if (child == 0) ::_exit(action() ? 0 : errno);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

}  // namespace still
