#include "criu/gate.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "os/files.h"

namespace still::criu {
namespace {

Fd listen_at(const std::filesystem::path& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw Error::system(errno, "cannot make a socket");
  Fd socket(fd);
  // Paths of sockets are short, therefore by way of the directory.
  const Fd directory = open_file(path.parent_path(), O_PATH | O_DIRECTORY);
  const auto name = formatted("/proc/self/fd/{}/{}", directory.get(), path.filename().native());
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::ranges::copy(name.substr(0, sizeof address.sun_path - 1), address.sun_path);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), 1) != 0) {
    throw Error::system(errno, "cannot make the socket " + printable(path.native()));
  }
  return socket;
}

}  // namespace

CriuGate::CriuGate(const std::filesystem::path& socket) : listening_(listen_at(socket)) {}

bool CriuGate::wait(const Fd& runtime, Deadline deadline) {
  std::array<pollfd, 2> events = {pollfd{listening_.get(), POLLIN, 0},
                                  pollfd{runtime.get(), POLLIN, 0}};
  if (::poll(events.data(), events.size(), milliseconds_until(deadline)) < 0 && errno != EINTR) {
    throw Error::system(errno, "cannot wait for CRIU");
  }
  if (events[0].revents == 0) return false;
  const int waiting = ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC);
  if (waiting < 0) throw Error::system(errno, "cannot wait for CRIU");
  waiting_.emplace(waiting);
  return true;
}

void CriuGate::open(Deadline deadline) {
  const int64_t nanoseconds = std::chrono::nanoseconds(deadline.time_since_epoch()).count();
  // An end of CRIU meanwhile is its runtime's to report.
  ::send(waiting_.value().get(), &nanoseconds, sizeof nanoseconds, MSG_NOSIGNAL);
}

void CriuGate::close() { waiting_.reset(); }

}  // namespace still::criu
