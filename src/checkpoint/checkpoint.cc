#include "checkpoint/checkpoint.h"

#include "checkpoint/live.h"
#include "checkpoint/stopping.h"

namespace still::checkpoint {
namespace {

// Volumes that are not captured need not stand still; a default checkpoint that is not exported
// captures none.
bool minds_sharers(const CheckpointOptions& options) {
  if (options.ignore_volumes) return false;
  return options.leave_running ? options.freeze_sharers : options.export_file.has_value();
}

}  // namespace

Prepared prepare(subject::Source& source, const journal::Host& host, const std::string& reference,
                 const CheckpointOptions& options) {
  Prepared prepared{.group = source.hold(reference, minds_sharers(options))};
  prepared.plan =
      make_plan(*prepared.group.container, prepared.group.sharers, host.layout, options);
  prepared.estimate = expected_pause(prepared.plan, host.store.measurements());
  return prepared;
}

CheckpointResult take(Prepared& prepared, const journal::Host& host, cut::Observer& observer) {
  auto& [group, plan, estimate] = prepared;
  require_short_pause(plan, estimate);
  const auto start = std::chrono::steady_clock::now();
  // The default way freezes nobody, it only has to know of them.
  if (!plan.options.leave_running) group.sharers.clear();
  CheckpointResult result = plan.options.leave_running
                                ? take_live(group, host, plan, observer)
                                : take_and_stop(*group.container, host, plan, observer);
  result.total = std::chrono::steady_clock::now() - start;
  if (plan.options.leave_running) host.store.add_measurement(measure(plan, result));
  return result;
}

}  // namespace still::checkpoint
