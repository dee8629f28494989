// How long a container will stand still, before it does.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include "checkpoint/plan.h"
#include "checkpoint/result.h"
#include "store/records.h"

namespace still::checkpoint {

struct Estimate {
  std::chrono::nanoseconds pause{};
  size_t learned_from = 0;  // earlier checkpoints of that way; 0: a guess from what is usual
};

// Of a live checkpoint. The dump takes a fixed time and one that grows with the memory: the line
// that fits the earlier dumps of the same way (Plan::memory) best, those of this container
// counting more. Few that took much longer than the others do not count, nor does a single one.
// The trees are looked at beside it, in a time that grows with their entries. The longer of both
// counts. Files that are open without a name, pipes, and with forks shared memory are written by
// CRIU in the window, and come on top of the dump. Whatever changes in the trees between the last
// round of preparation and the freeze comes on top and is not known.
Estimate expected_pause(const Plan& plan, const std::vector<store::Measurement>& earlier);

// Throws Error(kConflict) if the plan allows no pause as long as that.
void require_short_pause(const Plan& plan, const Estimate& estimate);

// What a later estimate can learn from a live checkpoint.
store::Measurement measure(const Plan& plan, const CheckpointResult& result);

}  // namespace still::checkpoint
