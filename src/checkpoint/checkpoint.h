// Taking a checkpoint: what a command, or whatever else takes checkpoints, calls.
#pragma once

#include <string>

#include "checkpoint/estimate.h"
#include "checkpoint/plan.h"
#include "checkpoint/result.h"
#include "cut/observer.h"
#include "journal/host.h"
#include "subject/source.h"

namespace still::checkpoint {

// A checkpoint that is ready to be taken: the containers held, nothing touched.
struct Prepared {
  subject::Group group;
  Plan plan;
  Estimate estimate;  // of a live one
};

// reference: of one container. Throws as Source::hold() and make_plan() do.
Prepared prepare(subject::Source& source, const journal::Host& host, const std::string& reference,
                 const CheckpointOptions& options);

// Live (plan.options.leave_running): the container is frozen for the cut and runs on, or stays
// paused; the archive is written afterwards, while others may use the container again. Later
// estimates learn from it.
// Default: CRIU ends the container, the images stay in the store for a restore in place and go into
// the archive if there is one. A --rm container is removed once its archive exists.
// On error nothing of the checkpoint is left and the container is as before, with one exception: a
// default checkpoint whose export fails leaves the container exited with its checkpoint in the
// store, and says so. CRIU's log is kept where the message names it. Error(kConflict): it would
// take longer than --max-pause allows.
// Signals that ask us to end wait for the moment in which nothing is frozen; then
// Error(kInterrupted) and nothing is left, but a default checkpoint is finished first. The sharers
// of the group are frozen by a live checkpoint, too, and let go when they run again.
CheckpointResult take(Prepared& prepared, const journal::Host& host, cut::Observer& observer);

}  // namespace still::checkpoint
