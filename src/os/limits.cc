#include "os/limits.h"

#include <sys/resource.h>

#include <initializer_list>

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

}  // namespace still
