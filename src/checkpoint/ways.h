// The two ways to take a checkpoint. Internal to checkpoint/.
#pragma once

#include "checkpoint/checkpoint.h"

namespace still::checkpoint {

// As checkpoint() with plan.options.leave_running, and without.
CheckpointResult take_live(engine::Container& container, std::vector<engine::Container>& sharers,
                           const engine::Layout& layout, store::Store& store, const Plan& plan,
                           cut::Observer& observer);
CheckpointResult take_and_stop(engine::Container& container, const engine::Layout& layout,
                               store::Store& store, const Plan& plan, cut::Observer& observer);

}  // namespace still::checkpoint
