#include "os/limits.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <initializer_list>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "os/files.h"
#include "os/process_status.h"

namespace still {
namespace {

bool lift(pid_t process, __rlimit_resource resource) noexcept {
  const rlimit none{.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
  if (::prlimit(process, resource, &none, nullptr) == 0) return true;
  rlimit now{};
  if (::prlimit(process, resource, nullptr, &now) != 0) return true;  // it has ended
  now.rlim_cur = now.rlim_max;
  ::prlimit(process, resource, &now, nullptr);
  return now.rlim_max == RLIM_INFINITY;
}

}  // namespace

std::string lift_deadly_limits(pid_t process) noexcept {
  const bool has_time = lift(process, RLIMIT_CPU);
  const bool has_size = lift(process, RLIMIT_FSIZE);
  if (!has_time) return "processor time (ulimit -t)";
  return has_size ? "" : "file sizes (ulimit -f)";
}

uint64_t most_descriptors() {
  constexpr unsigned kSysResource = 24;  // CAP_SYS_RESOURCE of linux/capability.h
  constexpr int kHexadecimal = 16;
  const std::string held = process_status_field(::getpid(), "CapEff").value_or("0");
  if ((std::strtoull(held.c_str(), nullptr, kHexadecimal) >> kSysResource & 1) != 0) {
    const auto most = parse_integer(trim(read_file("/proc/sys/fs/nr_open")));
    if (most) return static_cast<uint64_t>(*most);
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) throw Error::system(errno, "getrlimit");
  return limit.rlim_cur;
}

uint64_t available_memory() {
  constexpr std::string_view kAvailable = "MemAvailable:";
  for (const std::string& line : split(read_file("/proc/meminfo"), '\n')) {
    if (!line.starts_with(kAvailable)) continue;
    const auto words = split(trim(std::string_view(line).substr(kAvailable.size())), ' ');
    return static_cast<uint64_t>(parse_integer(words.front()).value_or(0)) << 10;
  }
  throw Error(ErrorKind::kSystem, "/proc/meminfo does not say how much memory is available");
}

}  // namespace still
