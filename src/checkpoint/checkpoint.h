// Taking a checkpoint, as planned.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "checkpoint/plan.h"
#include "criu/criu.h"
#include "cut/observer.h"
#include "cut/window.h"
#include "engine/container/container.h"
#include "memory/merge.h"
#include "tree/mirror.h"

namespace still::checkpoint {

struct CheckpointResult {
  bool consistent = false;
  std::string inconsistent_because;  // empty when consistent
  cut::Cut cut;                      // on the default path only dump_start and dump_end
  std::string stock_because;         // as Plan; also when it was found out on the way
  memory::MergeTotals memory;        // what the copies held
  tree::PassTotals cut_pass;         // what the cut of a live checkpoint looked at and copied
  std::optional<criu::DumpStatistics> criu;
  std::chrono::nanoseconds total{};
  uint64_t archive_bytes = 0;  // 0 without an archive
};

// Live (plan.options.leave_running): the container is frozen for the cut and runs on, or stays
// paused; the archive is written afterwards, while others may use the container again.
// Default: CRIU ends the container, the images stay in the store for a restore in place and go into
// the archive if there is one. A --rm container is removed once its archive exists.
// On error nothing of the checkpoint is left and the container is as before, with one exception: a
// default checkpoint whose export fails leaves the container exited with its checkpoint in the
// store, and says so. CRIU's log is kept where the message names it.
// Signals that ask us to end wait for the moment in which nothing is frozen; then
// Error(kInterrupted) and nothing is left, but a default checkpoint is finished first. sharers:
// containers that a live checkpoint freezes too; unlocked when they run again.
CheckpointResult checkpoint(engine::Container& container, std::vector<engine::Container>& sharers,
                            const engine::Layout& layout, store::Store& store, const Plan& plan,
                            cut::Observer& observer);

}  // namespace still::checkpoint
