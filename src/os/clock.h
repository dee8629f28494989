// Time: deadlines on the monotonic clock, instants on both clocks for records.
#pragma once

#include <chrono>
#include <ctime>
#include <string>

namespace still {

using Deadline = std::chrono::steady_clock::time_point;

inline Deadline deadline_in(std::chrono::nanoseconds duration) {
  return std::chrono::steady_clock::now() + duration;
}

inline bool is_past(Deadline deadline) { return std::chrono::steady_clock::now() >= deadline; }

// For poll(2): rounded up, at most some minutes; 0 when it is past.
int milliseconds_until(Deadline deadline);

// Since the start of the clock that the time is of.
inline std::chrono::nanoseconds nanoseconds_of(const timespec& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// One moment on both clocks, as nanoseconds: wall since the Unix epoch (CLOCK_REALTIME), monotonic
// since an unspecified start (CLOCK_MONOTONIC). Differences are taken on the monotonic one only:
// the wall clock may be stepped.
struct Instant {
  std::chrono::nanoseconds wall{};
  std::chrono::nanoseconds monotonic{};

  static Instant now();
};

inline std::chrono::nanoseconds operator-(const Instant& later, const Instant& earlier) {
  return later.monotonic - earlier.monotonic;
}

// Wall time as RFC 3339 in UTC with nanoseconds, as Podman prints it:
// "2026-01-31T12:00:00.123456789Z". Zero is "0001-01-01T00:00:00Z" (Go's zero time).
std::string rfc3339(std::chrono::nanoseconds wall);

// The boot of the machine this process runs in (/proc/sys/kernel/random/boot_id).
std::string boot_id();

}  // namespace still
