// What came of a checkpoint, for the person at the terminal.
#pragma once

#include <string>

#include "checkpoint/plan.h"
#include "checkpoint/result.h"

namespace still::cli {

// One line: where the checkpoint is, how large, how long the container stood still, whether it is
// certified, and how it comes back from the store.
// archive: the name of the archive as the user gave it; empty for one in the store.
std::string checkpoint_summary(const checkpoint::Plan& plan,
                               const checkpoint::CheckpointResult& result,
                               const std::string& archive);

}  // namespace still::cli
