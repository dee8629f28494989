// What the manifest says of the container and the machine.
#pragma once

#include "archive/manifest.h"
#include "checkpoint/plan.h"
#include "checkpoint/result.h"
#include "subject/source.h"

namespace still::checkpoint {

// Everything that is known before the cut. Starts programs to ask for their versions: not to be
// called while the container is frozen.
archive::Manifest describe(const subject::Held& container, const Plan& plan);

// What the cut showed.
void describe_result(archive::Manifest& manifest, const CheckpointResult& result);

}  // namespace still::checkpoint
