// Sees a pause from the inside: reads a clock again and again and keeps the largest gap.
//
// Which clock? CLOCK_MONOTONIC goes on while a cgroup is frozen and nobody can set it, so a gap
// between two readings is time in which the reader did not run: frozen, stopped by CRIU, or just
// not scheduled (on a busy machine that is the noise of the measurement: some milliseconds). It
// stands still while the machine is suspended, which is not a pause that Still makes;
// CLOCK_BOOTTIME counts that. CLOCK_REALTIME can be set.
//
// In a restored copy CRIU gives both monotonic clocks an offset (a time namespace) that lets them
// go on from the instant of the dump: the time that the copy spent in an archive is no gap, only
// the restore itself is, from the making of the namespaces to the first instruction. Measured: 1.1
// s, after 5 s in files. CLOCK_REALTIME has no such offset; by it alone a program can tell that it
// was restored.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <stop_token>
#include <thread>

namespace workload {

class GapClock {
 public:
  explicit GapClock(std::chrono::microseconds interval) : interval_(interval) {}

  // Reads the clock until told to stop; for a thread of its own.
  void run(const std::stop_token& stop) {
    auto last = now(CLOCK_MONOTONIC);
    while (!stop.stop_requested()) {
      std::this_thread::sleep_for(interval_);
      const auto current = now(CLOCK_MONOTONIC);
      const auto gap = (current - last).count();
      // Against a reset by another thread: it must not be lost.
      int64_t largest = largest_ns_;
      while (gap > largest && !largest_ns_.compare_exchange_weak(largest, gap)) {
      }
      last = current;
    }
  }

  // Since the start or the last reset.
  std::chrono::nanoseconds largest() const { return std::chrono::nanoseconds(largest_ns_); }
  void reset() { largest_ns_ = 0; }

  static std::chrono::nanoseconds now(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }

 private:
  const std::chrono::microseconds interval_;
  std::atomic<int64_t> largest_ns_ = 0;
};

}  // namespace workload
