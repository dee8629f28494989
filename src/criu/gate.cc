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
#include "os/process_status.h"

namespace still::criu {
namespace {

Fd make_socket() {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw Error::system(errno, "cannot make a socket");
  return Fd(fd);
}

// Paths of sockets are short, therefore by way of the directory.
class Address {
 public:
  explicit Address(const std::filesystem::path& path)
      : directory_(open_file(path.parent_path(), O_PATH | O_DIRECTORY)) {
    const auto name = formatted("/proc/self/fd/{}/{}", directory_.get(), path.filename().native());
    std::ranges::copy(name.substr(0, sizeof address_.sun_path - 1), address_.sun_path);
  }

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address_); }
  static constexpr socklen_t size() { return sizeof(sockaddr_un); }

 private:
  const Fd directory_;
  sockaddr_un address_{.sun_family = AF_UNIX, .sun_path = {}};
};

Fd listen_at(const std::filesystem::path& path) {
  Fd socket = make_socket();
  const Address address(path);
  if (::bind(socket.get(), address.get(), Address::size()) != 0 || ::listen(socket.get(), 1) != 0) {
    throw Error::system(errno, "cannot make the socket " + printable(path.native()));
  }
  return socket;
}

// Whether there is something to read, or the end, within that time.
bool is_readable(const Fd& socket, std::chrono::milliseconds time) {
  pollfd source{socket.get(), POLLIN, 0};
  return ::poll(&source, 1, static_cast<int>(time.count())) > 0;
}

// The process that listens at the other end.
pid_t peer_of(const Fd& socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    throw Error::system(errno, "cannot see who is at the gate");
  }
  return peer.pid;
}

}  // namespace

CriuGate::CriuGate(const std::filesystem::path& socket)
    : socket_(socket), listening_(listen_at(socket)) {}

bool CriuGate::wait(const Fd& runtime, Deadline deadline) {
  std::array<pollfd, 2> events = {pollfd{listening_.value().get(), POLLIN, 0},
                                  pollfd{runtime.get(), POLLIN, 0}};
  if (::poll(events.data(), events.size(), milliseconds_until(deadline)) < 0 && errno != EINTR) {
    throw Error::system(errno, "cannot wait for CRIU");
  }
  if (events[0].revents == 0) return false;
  const int waiting = ::accept4(listening_.value().get(), nullptr, nullptr, SOCK_CLOEXEC);
  if (waiting < 0) throw Error::system(errno, "cannot wait for CRIU");
  waiting_.emplace(waiting);
  return true;
}

void CriuGate::open(Deadline deadline) {
  const int64_t nanoseconds = std::chrono::nanoseconds(deadline.time_since_epoch()).count();
  // An end of CRIU meanwhile is its runtime's to report.
  ::send(waiting_.value().get(), &nanoseconds, sizeof nanoseconds, MSG_NOSIGNAL);
}

void CriuGate::open_for_all() {
  std::filesystem::remove(socket_);
  open(Deadline::max());
}

void CriuGate::close() {
  listening_.reset();
  waiting_.reset();
}

bool may_pass(const std::filesystem::path& socket) {
  const Fd gate = make_socket();
  const Address address(socket);
  if (::connect(gate.get(), address.get(), Address::size()) != 0) return errno == ENOENT;
  constexpr std::chrono::milliseconds kAskInterval{500};
  bool was_stopped = false;
  while (!is_readable(gate, kAskInterval)) {
    const bool is_stopped = process_stat(peer_of(gate)).value_or(ProcessStat{}).state == 'T';
    if (is_stopped && was_stopped) return false;
    was_stopped = is_stopped;
  }
  int64_t deadline = 0;
  return ::recv(gate.get(), &deadline, sizeof deadline, MSG_WAITALL) == sizeof deadline;
}

}  // namespace still::criu
