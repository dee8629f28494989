// A program for a dump without memory (criu/lazy_dump.h). With arguments: runs that command, which
// calls CRIU, in a network namespace of its own. Without: CRIU's action script (criu(8)); CRIU
// keeps the pages for whoever connects to it, and this says that nobody wants one.
#include <arpa/inet.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "criu/lazy_dump.h"
#include "os/network_namespace.h"

namespace {

// The request of CRIU's page server protocol (criu/page-xfer.c, struct page_server_iov) that ends a
// session.
struct PageRequest {
  uint32_t command = 0x1023;  // PS_IOV_CLOSE
  uint32_t pages = 0;
  uint64_t address = 0;
  uint64_t process = 0;
};
static_assert(sizeof(PageRequest) == 24);

sockaddr_in loopback(uint16_t port) {
  return {.sin_family = AF_INET,
          .sin_port = htons(port),
          .sin_addr = {htonl(INADDR_LOOPBACK)},
          .sin_zero = {}};
}

// CRIU listens, but accepts a connection only when this program has ended: what is sent waits. It
// calls a script for every time that it has read the configuration which names it; only one can
// have the port that we connect from.
bool decline_pages() {
  const int connection = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in ours = loopback(still::criu::kLazyPagesPort + 1);
  const sockaddr_in criu = loopback(still::criu::kLazyPagesPort);
  const PageRequest request;
  if (connection < 0) return false;
  if (::bind(connection, reinterpret_cast<const sockaddr*>(&ours), sizeof ours) != 0) {
    return errno == EADDRINUSE;
  }
  // The end of the stream at once: CRIU would wait for it.
  return ::connect(connection, reinterpret_cast<const sockaddr*>(&criu), sizeof criu) == 0 &&
         ::send(connection, &request, sizeof request, MSG_NOSIGNAL) == sizeof request &&
         ::shutdown(connection, SHUT_WR) == 0;
}

bool run_in_own_network(char* const* command) {
  return ::unshare(CLONE_NEWNET) == 0 && still::bring_loopback_up() &&
         ::execvp(command[0], command) == 0;
}

bool act_for_criu() {
  const char* step = std::getenv("CRTOOLS_SCRIPT_ACTION");
  return step == nullptr || std::string_view(step) != "status-ready" || decline_pages();
}

}  // namespace

int main(int count, char** arguments) {
  if (count > 1 ? run_in_own_network(arguments + 1) : act_for_criu()) return 0;
  std::perror("still_lazy_pages");
  return 1;
}
