// The two ways to take a checkpoint. Internal to checkpoint/.
#pragma once

#include "checkpoint/checkpoint.h"

namespace still::checkpoint {

// As checkpoint() with plan.options.leave_running, and without.
CheckpointResult take_live(subject::Group& group, const journal::Host& host, const Plan& plan,
                           cut::Observer& observer);
CheckpointResult take_and_stop(subject::Held& container, const journal::Host& host,
                               const Plan& plan, cut::Observer& observer);

}  // namespace still::checkpoint
