#include "os/unix_sockets.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <thread>

#include "base/format.h"
#include "os/fd.h"
#include "os/files.h"

namespace still {
namespace {

// A socket belongs to the namespace in which its maker was.
std::optional<Fd> diagnosis_in(const Fd& name_space) {
  int made = -1;
  std::thread([&] {
    if (::setns(name_space.get(), CLONE_NEWNET) != 0) return;
    made = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  }).join();
  return made < 0 ? std::nullopt : std::optional(Fd(made));
}

bool ask(const Fd& diagnosis) {
  struct {
    nlmsghdr header;
    unix_diag_req request;
  } message{};
  message.header.nlmsg_len = sizeof message;
  message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  message.request.sdiag_family = AF_UNIX;
  message.request.udiag_states = ~0U;
  message.request.udiag_show = UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS;
  return ::send(diagnosis.get(), &message, sizeof message, 0) == sizeof message;
}

UnixSocket parse(const nlmsghdr& header) {
  const auto* found = static_cast<const unix_diag_msg*>(NLMSG_DATA(&header));
  UnixSocket socket{.inode = found->udiag_ino};
  auto length = static_cast<int>(header.nlmsg_len - NLMSG_LENGTH(sizeof *found));
  const auto* attribute = reinterpret_cast<const rtattr*>(found + 1);
  for (; RTA_OK(attribute, length); attribute = RTA_NEXT(attribute, length)) {
    if (attribute->rta_type == UNIX_DIAG_PEER) {
      std::memcpy(&socket.peer, RTA_DATA(attribute), sizeof socket.peer);
    }
    if (attribute->rta_type == UNIX_DIAG_ICONS) {
      socket.waiting.resize(RTA_PAYLOAD(attribute) / sizeof(uint32_t));
      std::memcpy(socket.waiting.data(), RTA_DATA(attribute),
                  socket.waiting.size() * sizeof(uint32_t));
    }
  }
  return socket;
}

}  // namespace

std::optional<std::vector<UnixSocket>> unix_sockets_beside(pid_t process) {
  const auto name_space = open_if_exists(formatted("/proc/{}/ns/net", process), O_RDONLY);
  const auto diagnosis = name_space ? diagnosis_in(*name_space) : std::nullopt;
  if (!diagnosis || !ask(*diagnosis)) return std::nullopt;
  std::vector<UnixSocket> sockets;
  alignas(nlmsghdr) std::array<char, size_t{32} << 10> buffer;
  for (;;) {
    const ssize_t size = ::recv(diagnosis->get(), buffer.data(), buffer.size(), 0);
    if (size <= 0) return std::nullopt;
    auto length = static_cast<unsigned>(size);
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer.data()); NLMSG_OK(header, length);
         header = NLMSG_NEXT(header, length)) {
      if (header->nlmsg_type == NLMSG_DONE) return sockets;
      if (header->nlmsg_type == NLMSG_ERROR) return std::nullopt;
      sockets.push_back(parse(*header));
    }
  }
}

}  // namespace still
