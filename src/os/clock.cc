#include "os/clock.h"

#include <algorithm>

#include "base/format.h"
#include "base/text.h"
#include "os/files.h"

namespace still {
namespace {

std::chrono::nanoseconds read_clock(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return nanoseconds_of(now);
}

}  // namespace

Instant Instant::now() { return {read_clock(CLOCK_REALTIME), read_clock(CLOCK_MONOTONIC)}; }

int milliseconds_until(Deadline deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, 1'000'000));
}

std::string rfc3339(std::chrono::nanoseconds wall) {
  if (wall.count() == 0) return "0001-01-01T00:00:00Z";
  return formatted("{:%FT%TZ}", std::chrono::sys_time<std::chrono::nanoseconds>(wall));
}

std::string boot_id() { return std::string(trim(read_file("/proc/sys/kernel/random/boot_id"))); }

}  // namespace still
