// Preloaded into CRIU alone: it has to wait, just before it touches the container for the first
// time, until that stands still. So the container runs while the runtime and CRIU start and get
// ready.
//
// STILL_CRIU_GATE names a unix socket (criu/gate.h). CRIU opens the container's freezer before
// anything else of it (CRIU 4.1.1: collect_pstree() in criu/seize.c). It connects to the socket
// first, and goes on when it is told until when it may hold the container (deadline.cc); at the end
// of the connection without that it gives up.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "criu/preload/preload.h"

namespace {

bool is_freezer(const char* path) {
  const char* slash = std::strrchr(path, '/');
  if (slash == nullptr) return false;
  return std::strcmp(slash, "/cgroup.freeze") == 0 || std::strcmp(slash, "/freezer.state") == 0;
}

// Paths of sockets are short, therefore by way of the directory.
bool connect_to(int socket, const char* path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  char directory[kPathSize];
  const char* slash = std::strrchr(path, '/');
  if (slash == nullptr || static_cast<size_t>(slash - path) >= sizeof directory) return false;
  std::memcpy(directory, path, static_cast<size_t>(slash - path));
  directory[slash - path] = '\0';
  const int parent = ::open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (parent < 0) return false;
  std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d%s", parent, slash);
  const bool connected =
      ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(parent);
  return connected;
}

bool is_let_through(const char* gate) {
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  int64_t deadline = 0;
  const bool passed = connect_to(socket, gate) &&
                      ::recv(socket, &deadline, sizeof deadline, MSG_WAITALL) == sizeof deadline;
  if (passed) {
    hold_until(socket, deadline);
  } else {
    ::close(socket);
  }
  return passed;
}

}  // namespace

bool pass_freeze_gate(const char* path) {
  static bool passed = false;
  if (passed || !is_freezer(path)) return true;
  const char* gate = ::getenv("STILL_CRIU_GATE");
  // The runtime, which has the same environment, may look at the freezer, too.
  if (gate == nullptr || std::strcmp(program_invocation_short_name, "criu") != 0) return true;
  // CRIU limits the time that it may take for the freeze; this is not its own.
  const unsigned alarm_in = ::alarm(0);
  passed = is_let_through(gate);
  if (alarm_in != 0) ::alarm(alarm_in);
  if (!passed) errno = ECANCELED;
  return passed;
}
