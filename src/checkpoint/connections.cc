#include "checkpoint/connections.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

extern "C" {  // glibc 2.41 forgets to say so
#include <sys/pidfd.h>
}

#include <array>
#include <charconv>
#include <filesystem>
#include <map>
#include <set>
#include <type_traits>
#include <utility>

#include "base/format.h"
#include "base/text.h"
#include "os/fd.h"
#include "os/files.h"
#include "os/proc_entries.h"
#include "os/process.h"
#include "os/unix_sockets.h"

namespace still::checkpoint {
namespace {

constexpr std::string_view kSocketLink = "socket:[";

// As ss(8) and the kernel's documentation have them, by number.
constexpr std::array kStates = {"?",          "ESTABLISHED", "SYN_SENT",  "SYN_RECV",
                                "FIN_WAIT1",  "FIN_WAIT2",   "TIME_WAIT", "CLOSE",
                                "CLOSE_WAIT", "LAST_ACK",    "LISTEN",    "CLOSING"};

std::string state_name(int state) {
  const auto index = static_cast<size_t>(state);
  return index < kStates.size() ? kStates[index] : kStates[0];
}

std::optional<uint64_t> hexadecimal(std::string_view digits) {
  uint64_t number = 0;
  const char* end = digits.data() + digits.size();
  const auto [rest, error] = std::from_chars(digits.data(), end, number, 16);
  return error == std::errc() && rest == end ? std::optional(number) : std::nullopt;
}

std::string address_text(const void* address, bool is_v6, uint64_t port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(is_v6 ? AF_INET6 : AF_INET, address, text.data(), text.size());
  return is_v6 ? formatted("[{}]:{}", text.data(), port) : formatted("{}:{}", text.data(), port);
}

// "0100007F:1B58": words of 32 bits in the order of the machine, and the port.
std::optional<std::string> parse_address(std::string_view text) {
  constexpr size_t kWordDigits = 8;
  const size_t colon = text.find(':');
  const bool is_v6 = colon == 4 * kWordDigits;
  if (colon == std::string_view::npos || (!is_v6 && colon != kWordDigits)) return std::nullopt;
  std::array<uint32_t, 4> words{};
  for (size_t i = 0; i < colon / kWordDigits; ++i) {
    const auto word = hexadecimal(text.substr(i * kWordDigits, kWordDigits));
    if (!word) return std::nullopt;
    words[i] = static_cast<uint32_t>(*word);
  }
  const auto port = hexadecimal(text.substr(colon + 1));
  if (!port) return std::nullopt;
  return address_text(words.data(), is_v6, *port);
}

struct Address {
  std::string text;
  uint16_t port = 0;
};

// Of the socket's family. local: its own, not its peer's.
template <typename Socket>
std::optional<Address> ask_address(const Fd& socket, bool local) {
  Socket address{};
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  const int result = local ? ::getsockname(socket.get(), any, &size)
                           : ::getsockopt(socket.get(), SOL_SOCKET, SO_PEERNAME, any, &size);
  if (result != 0) return std::nullopt;
  if constexpr (std::is_same_v<Socket, sockaddr_in6>) {
    const uint16_t port = ntohs(address.sin6_port);
    return Address{.text = address_text(&address.sin6_addr, true, port), .port = port};
  } else {
    const uint16_t port = ntohs(address.sin_port);
    return Address{.text = address_text(&address.sin_addr, false, port), .port = port};
  }
}

std::optional<Address> ask_address(const Fd& socket, int family, bool local) {
  return family == AF_INET6 ? ask_address<sockaddr_in6>(socket, local)
                            : ask_address<sockaddr_in>(socket, local);
}

template <typename Value>
std::optional<Value> socket_option(const Fd& socket, int level, int option) {
  Value value{};
  socklen_t size = sizeof value;
  if (::getsockopt(socket.get(), level, option, &value, &size) != 0) return std::nullopt;
  return value;
}

// Of a TCP socket whose connection is over: the kernel lists it no more, but knows the peer still,
// and CRIU will restore it as a connection.
std::optional<TcpSocket> ended_connection(const Fd& socket) {
  const auto family = socket_option<int>(socket, SOL_SOCKET, SO_DOMAIN);
  if (family != AF_INET && family != AF_INET6) return std::nullopt;
  if (socket_option<int>(socket, SOL_SOCKET, SO_TYPE) != SOCK_STREAM ||
      socket_option<int>(socket, SOL_SOCKET, SO_PROTOCOL) != IPPROTO_TCP) {
    return std::nullopt;
  }
  const auto information = socket_option<tcp_info>(socket, SOL_TCP, TCP_INFO);
  if (!information || information->tcpi_state != TCP_CLOSE) return std::nullopt;
  const auto peer = ask_address(socket, *family, false);
  const auto local = ask_address(socket, *family, true);
  if (!peer || !local || peer->port == 0) return std::nullopt;
  return TcpSocket{
      .local = local->text, .peer = peer->text, .state = state_name(information->tcpi_state)};
}

std::optional<uint64_t> socket_inode(const std::filesystem::path& descriptor) {
  std::error_code gone;
  const std::string link = std::filesystem::read_symlink(descriptor, gone).native();
  if (!link.starts_with(kSocketLink)) return std::nullopt;
  const auto number =
      parse_integer(link.substr(kSocketLink.size(), link.size() - kSocketLink.size() - 1));
  return number ? std::optional(static_cast<uint64_t>(*number)) : std::nullopt;
}

// Calls visit(path, inode) for each descriptor of the process that is a socket.
void for_each_socket(pid_t pid, const auto& visit) {
  for_each_proc_entry(formatted("/proc/{}/fd", pid), [&](const std::filesystem::path& descriptor) {
    if (const auto inode = socket_inode(descriptor)) visit(descriptor, *inode);
  });
}

// Which process has a socket open, by its inode.
std::map<uint64_t, pid_t> owners_of_sockets(const std::vector<pid_t>& processes) {
  std::map<uint64_t, pid_t> owners;
  for (const pid_t pid : processes) {
    for_each_socket(pid, [&](const auto&, uint64_t inode) { owners.emplace(inode, pid); });
  }
  return owners;
}

class Collector {
 public:
  void look_at(pid_t pid) {
    const auto process = open_pidfd(pid);
    if (!process) return;
    const auto& listed = sockets_listed_for(pid);
    for_each_socket(pid, [&](const std::filesystem::path& descriptor, uint64_t inode) {
      if (!seen_.insert(inode).second) return;
      const auto line = listed.find(inode);
      if (line != listed.end()) {
        add(pid, line->second);
      } else {
        add_unlisted(pid, *process, descriptor);
      }
    });
  }

  TcpSockets take() { return std::move(sockets_); }

 private:
  using Listed = std::map<uint64_t, TcpLine>;  // by inode

  // Of the network namespace of the process.
  const Listed& sockets_listed_for(pid_t pid) {
    struct stat status{};
    if (::stat(formatted("/proc/{}/ns/net", pid).c_str(), &status) != 0) return nothing_;
    const auto [found, is_new] = listed_.try_emplace(status.st_ino);
    if (is_new) {
      for (const char* table : {"tcp", "tcp6"}) {
        const auto lines = read_file_if_exists(formatted("/proc/{}/net/{}", pid, table));
        for (const std::string& text : split(lines.value_or(""), '\n')) {
          auto line = parse_tcp_line(text);
          if (line && line->inode != 0) found->second[line->inode] = std::move(*line);
        }
      }
    }
    return found->second;
  }

  void add(pid_t pid, const TcpLine& line) {
    TcpSocket socket{.process = pid,
                     .local = line.local,
                     .peer = line.peer,
                     .state = state_name(line.state),
                     .waiting = line.waiting};
    if (line.state != TCP_LISTEN) {
      sockets_.connections.push_back(std::move(socket));
    } else if (line.waiting > 0) {
      sockets_.crowded.push_back(std::move(socket));
    }
  }

  void add_unlisted(pid_t pid, const Fd& process, const std::filesystem::path& descriptor) {
    const auto number = parse_integer(descriptor.filename().native());
    if (!number) return;
    const int copy = ::pidfd_getfd(process.get(), static_cast<int>(*number), 0);
    if (copy < 0) return;
    auto socket = ended_connection(Fd(copy));
    if (!socket) return;
    socket->process = pid;
    sockets_.connections.push_back(std::move(*socket));
  }

  TcpSockets sockets_;
  std::map<ino_t, Listed> listed_;
  const Listed nothing_;
  std::set<uint64_t> seen_;
};

}  // namespace

std::optional<UnixConnection> unix_connection_between(const std::vector<pid_t>& processes,
                                                      const std::vector<pid_t>& others) {
  if (processes.empty() || others.empty()) return std::nullopt;
  const auto ours = owners_of_sockets(processes);
  auto theirs = owners_of_sockets(others);
  std::erase_if(theirs, [&](const auto& socket) { return ours.contains(socket.first); });
  if (theirs.empty()) return std::nullopt;
  auto sockets = unix_sockets_beside(processes.front()).value_or(std::vector<UnixSocket>{});
  for (UnixSocket& socket : sockets) {
    const auto owner = ours.find(socket.inode);
    if (owner == ours.end()) continue;
    socket.waiting.push_back(socket.peer);
    for (const uint32_t peer : socket.waiting) {
      const auto other = theirs.find(peer);
      if (other != theirs.end()) return UnixConnection{owner->second, other->second};
    }
  }
  return std::nullopt;
}

std::optional<TcpLine> parse_tcp_line(std::string_view text) {
  std::vector<std::string> fields;
  for (std::string& field : split(text, ' ')) {
    if (!field.empty()) fields.push_back(std::move(field));
  }
  constexpr size_t kLocal = 1, kPeer = 2, kState = 3, kQueues = 4, kInode = 9;
  if (fields.size() <= kInode) return std::nullopt;
  auto local = parse_address(fields[kLocal]);
  auto peer = parse_address(fields[kPeer]);
  const auto state = hexadecimal(fields[kState]);
  const auto queues = split(fields[kQueues], ':');
  const auto inode = parse_integer(fields[kInode]);
  if (!local || !peer || !state || queues.size() != 2 || !inode) return std::nullopt;
  return TcpLine{.local = std::move(*local),
                 .peer = std::move(*peer),
                 .state = static_cast<int>(*state),
                 .waiting = *state == TCP_LISTEN ? hexadecimal(queues[1]).value_or(0) : 0,
                 .inode = static_cast<uint64_t>(*inode)};
}

TcpSockets tcp_sockets_of(const std::vector<pid_t>& processes) {
  Collector collector;
  for (const pid_t pid : processes) collector.look_at(pid);
  return collector.take();
}

}  // namespace still::checkpoint
