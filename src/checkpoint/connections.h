// The connections of a container about which a checkpoint has to be asked.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace still::checkpoint {

// A line of /proc/PID/net/tcp or tcp6 (proc_pid_net(5)).
struct TcpLine {
  std::string local, peer;  // "127.0.0.1:80", "[::1]:80"
  int state = 0;            // netinet/tcp.h
  uint64_t waiting = 0;     // of one that listens: connections that nobody has accepted yet
  uint64_t inode = 0;       // 0: of no process
};
// nullopt for another line.
std::optional<TcpLine> parse_tcp_line(std::string_view line);

struct TcpSocket {
  pid_t process = 0;  // one that has it open
  std::string local, peer;
  std::string state;  // "ESTABLISHED", "CLOSE_WAIT"; "CLOSE" when both ends have shut it down
  uint64_t waiting = 0;
};

struct TcpSockets {
  std::vector<TcpSocket> connections;  // to a peer, in whatever state
  std::vector<TcpSocket> crowded;      // that listen, with connections that wait
};
// Each socket once, however many have it open. What vanishes meanwhile is left out. Each socket
// that the kernel does not list, which are those of other kinds and those of TCP without a
// connection, is held for the moment that it takes to ask it.
TcpSockets tcp_sockets_of(const std::vector<pid_t>& processes);

struct UnixConnection {
  pid_t process = 0;  // that has one end
  pid_t other = 0;    // and the other one
};
// A connection by a unix socket between one of the processes and one of the others, accepted or
// not; nullopt: there is none, or the kernel does not tell. All are in the network namespace of the
// first process.
std::optional<UnixConnection> unix_connection_between(const std::vector<pid_t>& processes,
                                                      const std::vector<pid_t>& others);

}  // namespace still::checkpoint
