// Checkpoints in the store as lists and `inspect` show them.
#pragma once

#include <string>

#include "cli/output/json.h"
#include "cli/output/output.h"
#include "engine/container/kept_checkpoints.h"

namespace still::cli {

// "web/live". No name of a container has a slash.
std::string name_of(const store::ContainerRecord& container, engine::CheckpointKind kind);

// full: ids are not shortened.
ListEntry list_entry(const store::ContainerRecord& container, const engine::KeptCheckpoint& kept,
                     bool full);

// All that is known of it.
Json inspect_checkpoint(const store::ContainerRecord& container,
                        const engine::KeptCheckpoint& kept);

}  // namespace still::cli
