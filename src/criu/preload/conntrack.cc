// Preloaded into CRIU alone, for the time of a dump that saves no connection
// (STILL_CRIU_NO_CONNTRACK in its environment): the kernel's connection tracking has nothing then
// that the copy could use. CRIU asks for it all the same, twice, even where the network namespace
// is not its business, and the kernel looks through its whole table, which has 262,144 places on
// most machines: 5 ms each time. Here it is asked for nothing and acknowledges that, which CRIU
// takes for the end of the list. (CRIU 4.1.1: dump_nf_ct() in criu/net.c.)

#include <linux/netlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>

#include "criu/preload/preload.h"

namespace {

// linux/netfilter/nfnetlink.h, nfnetlink_conntrack.h: the lists of connections and of those that
// are expected; the subsystem in the upper byte of the type, the message in the lower one.
constexpr unsigned kGetConnections = 1 << 8 | 1;
constexpr unsigned kGetExpectations = 2 << 8 | 1;

bool asks_for_connections(const msghdr* message) {
  const auto* address = static_cast<const sockaddr*>(message->msg_name);
  if (address == nullptr || address->sa_family != AF_NETLINK || message->msg_iovlen != 1 ||
      message->msg_iov->iov_len < sizeof(nlmsghdr)) {
    return false;
  }
  nlmsghdr header;
  std::memcpy(&header, message->msg_iov->iov_base, sizeof header);
  return (header.nlmsg_type == kGetConnections || header.nlmsg_type == kGetExpectations) &&
         (header.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
}

}  // namespace

EXPORTED ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  if (::getenv("STILL_CRIU_NO_CONNTRACK") == nullptr || !asks_for_connections(message)) {
    return ::syscall(SYS_sendmsg, fd, message, flags);
  }
  nlmsghdr nothing;
  std::memcpy(&nothing, message->msg_iov->iov_base, sizeof nothing);
  nothing.nlmsg_len = sizeof nothing;
  nothing.nlmsg_type = NLMSG_NOOP;
  nothing.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  iovec content{&nothing, sizeof nothing};
  msghdr changed = *message;
  changed.msg_iov = &content;
  const long sent = ::syscall(SYS_sendmsg, fd, &changed, flags);
  return sent < 0 ? sent : static_cast<ssize_t>(message->msg_iov->iov_len);
}
