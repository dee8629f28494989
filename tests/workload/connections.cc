// Has TCP connections over the loopback in one state, to look at a copy of them.
//
// connections STATE: SYN_SENT, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING,
// CLOSE (both ends have shut it down), RESET, WAITING (in the queue of a socket that listens, sent
// to), or TIME_WAIT. SIGUSR1: both ends are driven to the end of what they still can do, and it
// ends. Exit codes: 0 each byte and each end was as it should be, 3 not so.

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

namespace {

constexpr int kFine = 0, kUsage = 2, kHarmed = 3, kFailed = 4;
constexpr int kPort = 7000;

int g_harmed = 0;

void expect(bool is_so, const char* what) {
  if (is_so) return;
  std::printf("connections: HARMED: %s: %s\n", what, std::strerror(errno));
  ++g_harmed;
}

void must(bool is_so, const char* what) {
  if (is_so) return;
  std::perror(what);
  _exit(kFailed);
}

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int listening() {
  const int server = socket(AF_INET, SOCK_STREAM, 0);
  const int yes = 1;
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const sockaddr_in address = loopback(kPort);
  must(bind(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "bind");
  must(listen(server, 4) == 0, "listen");
  return server;
}

int connecting(int flags = 0) {
  const int client = socket(AF_INET, SOCK_STREAM | flags, 0);
  const sockaddr_in address = loopback(kPort);
  const int result = connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  must(result == 0 || (flags != 0 && errno == EINPROGRESS), "connect");
  return client;
}

// Until somebody has done it.
void ask_for(const char* what) {
  std::printf("connections: %s\n", what);
  sigset_t done;
  sigemptyset(&done);
  sigaddset(&done, SIGUSR2);
  int signal = 0;
  sigwait(&done, &signal);
}

std::string state_of(int socket) {
  static constexpr const char* kNames[] = {"?",          "ESTABLISHED", "SYN_SENT",  "SYN_RECV",
                                           "FIN_WAIT1",  "FIN_WAIT2",   "TIME_WAIT", "CLOSE",
                                           "CLOSE_WAIT", "LAST_ACK",    "LISTEN",    "CLOSING"};
  tcp_info information{};
  socklen_t size = sizeof information;
  getsockopt(socket, SOL_TCP, TCP_INFO, &information, &size);
  return kNames[information.tcpi_state];
}

void must_become(int socket, const std::string& state) {
  for (int i = 0; i < 100 && state_of(socket) != state; ++i) usleep(10000);
  must(state_of(socket) == state, state.c_str());
}

bool sends(int socket, const char* text) {
  const auto length = static_cast<ssize_t>(std::strlen(text));
  return send(socket, text, static_cast<size_t>(length), MSG_NOSIGNAL) == length;
}

// What comes within a while, and then the end.
bool receives(int socket, const std::string& text, bool to_the_end) {
  std::string got;
  for (;;) {
    pollfd ready{socket, POLLIN, 0};
    if (poll(&ready, 1, 10000) != 1) return false;
    char buffer[64];
    const ssize_t count = recv(socket, buffer, sizeof buffer, 0);
    if (count < 0) return false;
    if (count == 0) return to_the_end && got == text;
    got.append(buffer, static_cast<size_t>(count));
    if (!to_the_end && got == text) return true;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return kUsage;
  const std::string state = argv[1];
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  sigset_t end;
  sigemptyset(&end);
  sigaddset(&end, SIGUSR1);
  sigset_t blocked = end;
  sigaddset(&blocked, SIGUSR2);
  sigprocmask(SIG_BLOCK, &blocked, nullptr);

  const int server = listening();
  int here = -1, there = -1;
  if (state == "SYN_SENT") {
    ask_for("block");
    here = connecting(SOCK_NONBLOCK);
    must_become(here, state);
  } else {
    here = connecting();
    if (state != "WAITING") there = accept(server, nullptr, nullptr);
  }
  const bool is_there = there >= 0;
  if (is_there) must(sends(here, "hello") && receives(there, "hello", false), "hello");
  if (state == "WAITING") must(sends(here, "early"), "early");
  if (state == "ESTABLISHED") must(sends(there, "unread"), "unread");
  if (state == "FIN_WAIT1") {
    ask_for("block");
    must(sends(here, "lost"), "lost");
    shutdown(here, SHUT_WR);
    must_become(here, state);
  }
  if (state == "FIN_WAIT2" || state == "CLOSE_WAIT") {
    must(sends(here, "last"), "last");
    shutdown(here, SHUT_WR);
    must_become(here, "FIN_WAIT2");
    must_become(there, "CLOSE_WAIT");
  }
  if (state == "LAST_ACK") {
    shutdown(here, SHUT_WR);
    must_become(there, "CLOSE_WAIT");
    ask_for("block");
    shutdown(there, SHUT_WR);
    must_become(there, state);
  }
  if (state == "CLOSING") {
    // Both shut down before they hear of each other; then one hears of the other.
    ask_for("block");
    shutdown(here, SHUT_WR);
    shutdown(there, SHUT_WR);
    must_become(here, "FIN_WAIT1");
    ask_for("unblock");
    must_become(here, state);
  }
  if (state == "CLOSE" || state == "TIME_WAIT") {
    shutdown(here, SHUT_WR);
    must_become(there, "CLOSE_WAIT");
    shutdown(there, SHUT_WR);
    must_become(here, "CLOSE");
    must_become(there, "CLOSE");
  }
  if (state == "TIME_WAIT") {  // its sockets are closed, the kernel alone knows
    close(here);
    close(there);
  }
  if (state == "RESET") {
    const linger now{.l_onoff = 1, .l_linger = 0};
    setsockopt(there, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(there);
    must_become(here, "CLOSE");
  }
  std::printf("connections: ready %s\n", state_of(here).c_str());
  int signal = 0;
  sigwait(&end, &signal);

  char byte = 0;
  if (state == "ESTABLISHED") {
    expect(receives(here, "unread", false), "what was unread");
    expect(sends(here, "on") && receives(there, "on", false), "on");
  } else if (state == "FIN_WAIT1") {
    expect(receives(there, "lost", true), "what was on the way");
    expect(sends(there, "back") && receives(here, "back", false), "back");
  } else if (state == "FIN_WAIT2" || state == "CLOSE_WAIT") {
    expect(receives(there, "last", true), "what was sent last");
    expect(sends(there, "back") && receives(here, "back", false), "back");
  } else if (state == "LAST_ACK") {
    expect(receives(there, "", true), "the end there");
    expect(receives(here, "", true), "the end here");
  } else if (state == "CLOSING") {
    expect(receives(here, "", true), "the end here");
    expect(receives(there, "", true), "the end there");
  } else if (state == "CLOSE") {
    expect(recv(here, &byte, 1, MSG_DONTWAIT) == 0, "the end here");
    expect(recv(there, &byte, 1, MSG_DONTWAIT) == 0, "the end there");
    expect(!sends(here, "x") && errno == EPIPE, "it cannot be written to");
  } else if (state == "SYN_SENT" || state == "WAITING") {
    const int accepted = accept(server, nullptr, nullptr);
    expect(accepted >= 0, "accept");
    if (state == "SYN_SENT") expect(sends(here, "early"), "it is not connected");
    expect(receives(accepted, "early", false), "what was sent early");
  } else if (state == "RESET") {
    expect(recv(here, &byte, 1, MSG_DONTWAIT) <= 0, "the end here");
  }
  std::printf("connections: harmed=%d\n", g_harmed);
  return g_harmed == 0 ? kFine : kHarmed;
}
