#include "memory/direct_access.h"

#include <fcntl.h>

#include <cstdlib>
#include <string>

#include "base/format.h"
#include "os/files.h"
#include "os/process_status.h"
#include "os/walk.h"

namespace still::memory {

bool reads_directly(pid_t process) {
  const auto directory = open_if_exists(formatted("/proc/{}/fdinfo", process), O_DIRECTORY);
  if (!directory) return false;
  for (const std::string& number : list_names(*directory)) {
    const auto information = read_file_if_exists(formatted("/proc/{}/fdinfo/{}", process, number));
    const std::string flags = status_field(information.value_or(""), "flags").value_or("0");
    constexpr int kOctal = 8;
    if ((std::strtoull(flags.c_str(), nullptr, kOctal) & O_DIRECT) != 0) return true;
  }
  return false;
}

}  // namespace still::memory
