// Everything that a checkpoint is refused for before the container is touched: the one list of it
// is in refusals.cc.
#pragma once

#include "checkpoint/plan.h"
#include "store/layout.h"
#include "subject/source.h"

namespace still::checkpoint {

// What can be said before the container is looked at. Throws Error: kUsage (flags that do not go
// together), kConflict (not running), kNotFound (no CRIU).
void refuse_asked(const subject::Held& container, const CheckpointOptions& options);

// What the plan shows, which is complete but for its memory choice and what depends on that. Throws
// Error: kUnsupported (resources that CRIU cannot dump, processes brought in by exec, no freezer
// with --require-freeze), kNotFound (no directory for the target), kConflict, kUsage.
void refuse_planned(const subject::Held& container, const Plan& plan);

// What the complete plan shows. Throws Error: kUnsupported (a way to cut memory that was asked for
// and does not work), kSystem (no space).
void refuse_complete(const Plan& plan, const store::Layout& layout);

}  // namespace still::checkpoint
