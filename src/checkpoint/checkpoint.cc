#include "checkpoint/checkpoint.h"

#include "checkpoint/ways.h"

namespace still::checkpoint {

CheckpointResult checkpoint(engine::Container& container, std::vector<engine::Container>& sharers,
                            const engine::Layout& layout, store::Store& store, const Plan& plan,
                            cut::Observer& observer) {
  const auto start = std::chrono::steady_clock::now();
  // The default way freezes nobody, it only has to know of them.
  if (!plan.options.leave_running) sharers.clear();
  CheckpointResult result = plan.options.leave_running
                                ? take_live(container, sharers, layout, store, plan, observer)
                                : take_and_stop(container, layout, store, plan, observer);
  result.total = std::chrono::steady_clock::now() - start;
  return result;
}

}  // namespace still::checkpoint
