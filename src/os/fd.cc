#include "os/fd.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace still {

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

Fd Fd::duplicate() const {
  const int copy = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw Error::system(errno, "cannot duplicate a file descriptor");
  return Fd(copy);
}

void Fd::close() {
  // Linux closes the descriptor whatever close() returns.
  if (::close(std::exchange(fd_, -1)) != 0) throw Error::system(errno, "cannot close a file");
}

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw Error::system(errno, "cannot make a pipe");
  return {Fd(ends[0]), Fd(ends[1])};
}

}  // namespace still
