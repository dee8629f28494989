#include "tree/proof.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <ctime>

#include "base/error.h"
#include "os/clock.h"

namespace still::tree {
namespace {

// Kernel ticks are at most 10 ms apart (CONFIG_HZ=100).
constexpr std::chrono::milliseconds kTick{20};
// File systems with whole seconds (ext4 with inodes of 128 bytes): a ctime without nanoseconds may
// stand for any moment of the second.
constexpr std::chrono::seconds kWholeSeconds{2};

bool equal(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

Fd make_timer() {
  const int fd = ::timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  if (fd < 0) throw Error::system(errno, "cannot make a timer");
  return Fd(fd);
}

}  // namespace

std::chrono::nanoseconds coarse_now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return nanoseconds_of(now);
}

std::chrono::nanoseconds changed_at(const struct stat& status) {
  return nanoseconds_of(status.st_ctim);
}

Proof::Proof(const struct stat& status, std::chrono::nanoseconds begun)
    : device_(status.st_dev),
      inode_(status.st_ino),
      changed_(status.st_ctim),
      modified_(status.st_mtim),
      size_(status.st_size),
      mode_(status.st_mode) {
  const std::chrono::nanoseconds margin =
      changed_.tv_nsec == 0 ? std::chrono::nanoseconds(kWholeSeconds) : kTick;
  racy_ = nanoseconds_of(changed_) >= begun - margin;
}

bool Proof::matches(const struct stat& status) const {
  return device_ == status.st_dev && inode_ == status.st_ino && equal(changed_, status.st_ctim) &&
         equal(modified_, status.st_mtim) && size_ == status.st_size && mode_ == status.st_mode;
}

ClockWatch::ClockWatch() : timer_(make_timer()) { arm(); }

void ClockWatch::arm() {
  itimerspec never{};
  never.it_value.tv_sec = INT64_MAX / 2'000'000'000;  // some centuries from now
  if (::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never,
                        nullptr) != 0) {
    throw Error::system(errno, "cannot watch the clock");
  }
}

bool ClockWatch::was_set() {
  uint64_t expirations = 0;
  if (::read(timer_.get(), &expirations, sizeof expirations) >= 0) return true;
  if (errno == EAGAIN) return false;
  if (errno != ECANCELED) throw Error::system(errno, "cannot watch the clock");
  arm();
  return true;
}

}  // namespace still::tree
