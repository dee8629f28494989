#include "memory/direct_access.h"

#include <fcntl.h>

#include <string>

#include "base/format.h"
#include "os/fdinfo.h"
#include "os/files.h"
#include "os/walk.h"

namespace still::memory {

bool reads_directly(pid_t process) {
  const auto directory = open_if_exists(formatted("/proc/{}/fdinfo", process), O_DIRECTORY);
  if (!directory) return false;
  for (const std::string& number : list_names(*directory)) {
    const auto information = read_file_if_exists(formatted("/proc/{}/fdinfo/{}", process, number));
    if (has_open_flag(information.value_or(""), O_DIRECT)) return true;
  }
  return false;
}

}  // namespace still::memory
