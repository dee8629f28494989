// The live checkpoint. Internal to checkpoint/.
#pragma once

#include "checkpoint/checkpoint.h"

namespace still::checkpoint {

// As take() with plan.options.leave_running.
CheckpointResult take_live(subject::Group& group, const journal::Host& host, const Plan& plan,
                           cut::Observer& observer);

}  // namespace still::checkpoint
