// The unix sockets of a network namespace, as the kernel lists them for ss(8) (sock_diag(7)).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace still {

struct UnixSocket {
  uint32_t inode = 0;
  uint32_t peer = 0;                // the inode of the one that it is connected to; 0: of none
  std::vector<uint32_t> waiting{};  // of one that listens: those that have connected to it and were
                                    // not accepted yet
};
// Of the network namespace of a process. nullopt if that has ended, or the kernel does not tell.
std::optional<std::vector<UnixSocket>> unix_sockets_beside(pid_t process);

}  // namespace still
