// An open file descriptor. A handle that exists is valid; absence is std::optional<Fd>.
#pragma once

#include <utility>

namespace still {

class Fd {
 public:
  // Takes ownership of an open descriptor. fd must be valid (>= 0).
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd();

  int get() const noexcept { return fd_; }
  // Gives the descriptor up to the caller, who closes it.
  int release() noexcept { return std::exchange(fd_, -1); }
  // A second descriptor of the same open file, close-on-exec. Throws Error(kSystem).
  Fd duplicate() const;
  // Closes and reports what close() says (EIO, ENOSPC of a network file system). Throws
  // Error(kSystem); the descriptor is gone in either case.
  void close();

 private:
  int fd_;
};

// A pipe, both ends close-on-exec.
struct Pipe {
  Fd read_end;
  Fd write_end;
};
Pipe make_pipe();

}  // namespace still
