// Holds a resource that a checkpoint has to be told about, a file lock or an established TCP
// connection over which numbers go round; or serves TCP connections that come. See --help.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include "flags.h"
#include "processes.h"

namespace {

int check(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

[[noreturn]] void stay() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

[[noreturn]] void hold_lock(const std::string& path) {
  const int file = check(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644), "open");
  check(::flock(file, LOCK_EX | LOCK_NB), "flock");
  std::puts("locked");
  stay();
}

// In a directory whose path no system call takes: stays there, or goes back with a file open in it,
// or with nothing.
[[noreturn]] void go_deep(const std::string& kept) {
  const std::string name(200, 'd');
  for (int level = 0; level < 25; ++level) {
    check(::mkdir(name.c_str(), 0755), "mkdir");
    check(::chdir(name.c_str()), "chdir");
  }
  const int file = check(::open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644), "open");
  if (kept != "file") check(::close(file), "close");
  if (kept != "directory") check(::chdir("/"), "chdir");
  std::puts("deep");
  stay();
}

int listen_on(const sockaddr_in& address, int backlog) {
  const int listener = check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  check(::bind(listener, generic, sizeof address), "bind");
  check(::listen(listener, backlog), "listen");
  return listener;
}

int connect_to(const sockaddr_in& address) {
  const int client = check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  check(::connect(client, generic, sizeof address), "connect");
  return client;
}

// One number through the connection; false when it is closed.
bool pass(int from, int to, uint64_t number) {
  uint64_t received = 0;
  if (::send(from, &number, sizeof number, MSG_NOSIGNAL) != sizeof number) return false;
  ssize_t got = 0;
  do {
    got = ::recv(to, &received, sizeof received, MSG_WAITALL);
  } while (got < 0 && errno == EINTR);
  return got == sizeof received && received == number;
}

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Each connection one after the other: what comes goes back.
[[noreturn]] void serve(uint16_t port) {
  const int listener = listen_on(loopback(port), 64);
  for (;;) {
    const int client = check(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), "accept");
    char buffer[64];
    ssize_t got = 0;
    while ((got = ::recv(client, buffer, sizeof buffer, 0)) > 0) {
      check(static_cast<int>(::send(client, buffer, static_cast<size_t>(got), MSG_NOSIGNAL)),
            "send");
    }
    ::close(client);
  }
}

[[noreturn]] void hold_connection(uint16_t port) {
  const sockaddr_in address = loopback(port);
  const int listener = listen_on(address, 1);
  const int client = connect_to(address);
  const int server = check(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), "accept");
  for (uint64_t number = 1; pass(client, server, number); ++number) {
    std::printf("passed %lu\n", static_cast<unsigned long>(number));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  std::puts("closed");
  stay();
}

[[noreturn]] void die_with_parent(int signal) {
  check(::prctl(PR_SET_PDEATHSIG, signal), "prctl");
  const int child = check(::fork(), "fork");
  if (child == 0) check(::prctl(PR_SET_PDEATHSIG, signal), "prctl");
  std::printf("%s asks for signal %d\n", child == 0 ? "child" : "parent", signal);
  stay();
}

unsigned char byte_at(uint64_t position) {
  return static_cast<unsigned char>(position * 7 + position / 251);
}

// As much as the buffers of both ends take.
uint64_t fill(int client) {
  check(::fcntl(client, F_SETFL, O_NONBLOCK), "fcntl");
  uint64_t sent = 0;
  for (;;) {
    unsigned char block[1000];
    for (size_t i = 0; i < sizeof block; ++i) block[i] = byte_at(sent + i);
    const ssize_t taken = ::send(client, block, sizeof block, MSG_NOSIGNAL);
    if (taken < 0) return sent;
    sent += static_cast<uint64_t>(taken);
  }
}

// A slow reader: what was sent waits until SIGUSR1 comes; then every byte is looked at.
int hold_sent_data(uint16_t port) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  const sockaddr_in address = loopback(port);
  const int listener = listen_on(address, 1);
  const int client = connect_to(address);
  const int server = check(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), "accept");
  const uint64_t sent = fill(client);
  std::printf("sent %lu\n", static_cast<unsigned long>(sent));
  int signal = 0;
  sigwait(&signals, &signal);
  ::shutdown(client, SHUT_WR);
  uint64_t received = 0;
  unsigned char block[4096];
  ssize_t got = 0;
  while ((got = ::recv(server, block, sizeof block, 0)) > 0) {
    for (ssize_t i = 0; i < got; ++i, ++received) {
      if (block[i] != byte_at(received)) throw std::runtime_error("a wrong byte");
    }
  }
  check(static_cast<int>(got), "recv");
  std::printf("received %lu\n", static_cast<unsigned long>(received));
  return received == sent ? 0 : 1;
}

uint16_t port_in(const std::string& word) { return static_cast<uint16_t>(std::stoul(word)); }

int unix_socket(int type, const std::string& path, bool is_client) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  const int socket = check(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0), "socket");
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  check(is_client ? ::connect(socket, generic, sizeof address)
                  : ::bind(socket, generic, sizeof address),
        path.c_str());
  return socket;
}

// A stream and a socket for datagrams, whoever connects to them.
[[noreturn]] void serve_unix(const std::string& path, bool accepts) {
  const int server = unix_socket(SOCK_STREAM, path, false);
  unix_socket(SOCK_DGRAM, path + ".log", false);
  check(::listen(server, 4), "listen");
  std::puts("listening");
  while (accepts) {
    check(::accept4(server, nullptr, nullptr, SOCK_CLOEXEC), "accept");
    std::puts("accepted");
  }
  stay();
}

[[noreturn]] void hold_unix(int type, const std::string& path) {
  unix_socket(type, path, true);
  std::puts("connected");
  stay();
}

}  // namespace

int main(int argc, char** argv) try {
  workload::Flags flags(
      "lock FILE | tcp PORT | echo PORT | fill PORT | death SIGNAL | "
      "deep directory|file|nothing | accepting PATH | listening PATH | stream PATH | "
      "datagrams PATH",
      "Holds a file lock or a TCP connection, or serves connections, until it is killed.",
      "lock  hold an exclusive flock; prints \"locked\"\n"
      "tcp   pass numbers over a loopback connection; prints \"passed N\", \"closed\" at its end\n"
      "echo  send back what loopback connections bring\n"
      "fill  send what the buffers take; prints \"sent N\", on SIGUSR1 reads it, exit code 0 if it "
      "is right"
      "\ndeath  ask for the signal when the parent ends, and so does a child\n"
      "deep  make directories in each other, beyond the longest path, and stay in the last, have a "
      "file open there, or neither; prints \"deep\"\n"
      "accepting, listening  have unix sockets, at PATH and PATH.log; stream, datagrams  "
      "connect");
  const auto words = flags.parse(argc, argv, 2);
  const std::string& what = words[0];
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (what == "lock") hold_lock(words[1]);
  if (what == "echo") serve(port_in(words[1]));
  if (what == "tcp") hold_connection(port_in(words[1]));
  if (what == "deep") go_deep(words[1]);
  if (what == "death") die_with_parent(std::stoi(words[1]));
  if (what == "accepting" || what == "listening") serve_unix(words[1], what == "accepting");
  if (what == "stream") hold_unix(SOCK_STREAM, words[1]);
  if (what == "datagrams") hold_unix(SOCK_DGRAM, words[1] + ".log");
  if (what == "fill") return hold_sent_data(port_in(words[1]));
  std::fprintf(stderr, "holder: no resource '%s', see --help\n", what.c_str());
  return workload::kUsage;
} catch (const std::exception& error) {
  std::fprintf(stderr, "holder: %s\n", error.what());
  return 1;
}
