// Images without memory: what CRIU is told so that it writes none, for the ways that bring it in
// themselves.
#pragma once

#include <sys/types.h>

#include <vector>

#include "cut/staging.h"
#include "memory/self_test.h"

namespace still::cut {

class SkeletonImages {
 public:
  SkeletonImages(memory::Skeleton skeleton, StagingPlace place)
      : skeleton_(skeleton), place_(std::move(place)) {}

  // Before the freeze, the staging directory made. Throws Error(kSystem).
  void prepare(const std::vector<pid_t>& processes);
  // All stands still. dumped: the processes that CRIU will dump. Throws Error(kSystem).
  void before_dump(const std::vector<pid_t>& dumped);
  // The images are complete without it.
  void remove();

 private:
  const memory::Skeleton skeleton_;
  const StagingPlace place_;
  std::vector<pid_t> known_;  // pids that the parent's images have
  bool kernel_tracks_changes_ = false;
};

}  // namespace still::cut
