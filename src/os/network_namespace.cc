#include "os/network_namespace.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/text.h"
#include "os/files.h"
#include "os/forked.h"

namespace still {

bool bring_loopback_up() {
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0 || ::ioctl(socket, SIOCGIFFLAGS, &request) != 0) return false;
  request.ifr_flags |= IFF_UP;
  return ::ioctl(socket, SIOCSIFFLAGS, &request) == 0;
}

void make_network_namespace(const std::filesystem::path& path) {
  open_file(path, O_RDONLY | O_CREAT, 0600);
  const int error_number = run_forked([&path] {
    return ::unshare(CLONE_NEWNET) == 0 && bring_loopback_up() &&
           ::mount("/proc/self/ns/net", path.c_str(), nullptr, MS_BIND, nullptr) == 0;
  });
  if (error_number == 0) return;
  throw Error::system(error_number,
                      "cannot make the network namespace " + printable(path.native()));
}

}  // namespace still
