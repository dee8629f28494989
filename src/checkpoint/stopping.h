// The checkpoint that ends the container. Internal to checkpoint/.
#pragma once

#include "checkpoint/checkpoint.h"

namespace still::checkpoint {

// As take() without plan.options.leave_running.
CheckpointResult take_and_stop(subject::Held& container, const journal::Host& host,
                               const Plan& plan, cut::Observer& observer);

}  // namespace still::checkpoint
