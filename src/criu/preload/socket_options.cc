// Preloaded into CRIU alone, for the time of a dump. Linux 6.16 and later answer EOPNOTSUPP when
// the value of SO_PASSCRED or SO_PASSSEC is asked of a socket that cannot pass credentials, which
// is every TCP and UDP socket; before, the answer was 0. CRIU 4.1.1 asks it of every socket and
// takes the error for a failure: no container with a TCP or UDP socket could be checkpointed. Here
// the answer is 0 again, which is what it means. (Linux: sk_getsockopt() in net/core/sock.c.)

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "criu/preload/preload.h"

EXPORTED int getsockopt(int socket, int level, int option, void* value,
                        socklen_t* length) noexcept {
  const long result = ::syscall(SYS_getsockopt, socket, level, option, value, length);
  const bool unknown_there = result < 0 && errno == EOPNOTSUPP && level == SOL_SOCKET &&
                             (option == SO_PASSCRED || option == SO_PASSSEC);
  if (!unknown_there || *length < sizeof(int)) return static_cast<int>(result);
  constexpr int kOff = 0;
  std::memcpy(value, &kOff, sizeof kOff);
  *length = sizeof kOff;
  return 0;
}
