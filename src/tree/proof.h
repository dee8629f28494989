// What proves that an entry is still as it was when it was copied.
#pragma once

#include <sys/stat.h>

#include <chrono>

#include "os/fd.h"

namespace still::tree {

// The coarse clock that the kernel takes ctimes from, read before an entry is looked at.
std::chrono::nanoseconds coarse_now();

std::chrono::nanoseconds changed_at(const struct stat& status);  // its ctime

class Proof {
 public:
  // Nothing is proven: never equal.
  Proof() = default;
  // status: of the entry when its copy was begun, after `begun` was read from coarse_now().
  Proof(const struct stat& status, std::chrono::nanoseconds begun);

  // The status is that of the same inode, as it was when it was copied.
  bool matches(const struct stat& status) const;
  // A change after the copy may have left the same status.
  bool racy() const { return racy_; }
  // The entry was seen to change while it was copied.
  void set_racy() { racy_ = true; }

 private:
  dev_t device_ = 0;
  ino_t inode_ = 0;
  timespec changed_{};
  timespec modified_{};
  off_t size_ = -1;
  mode_t mode_ = 0;
  bool racy_ = true;
};

// Tells whether the wall clock has been set since it was last asked.
class ClockWatch {
 public:
  ClockWatch();
  bool was_set();

 private:
  void arm();
  Fd timer_;
};

}  // namespace still::tree
