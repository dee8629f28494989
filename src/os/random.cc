#include "os/random.h"

#include <sys/random.h>

#include <cerrno>

#include "base/error.h"

namespace still {

std::string random_bytes(size_t count) {
  std::string bytes(count, '\0');
  if (::getrandom(bytes.data(), count, 0) != static_cast<ssize_t>(count)) {
    throw Error::system(errno, "cannot get random bytes");
  }
  return bytes;
}

}  // namespace still
