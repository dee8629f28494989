// What a checkpoint whose process is killed would leave beside its window (cut/leftovers.h), as
// steps of its entry in the journal.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "journal/host.h"
#include "journal/undoers.h"

namespace still::checkpoint {

// The name of the operation.
inline constexpr const char* kOperation = "checkpoint";

// CRIU's images of a default checkpoint. The container may be in them and nowhere else: complete
// ones are not removed but kept, as its checkpoint.
journal::Step stopping_step(const std::filesystem::path& images);

// The cgroup of a restore on trial (trial.h), by its path; its undo ends what lives there.
journal::Step trial_step(const std::string& cgroup);

// Subject::room: it is there until the container is let go, and so after its operation.
journal::Step room_step(const std::filesystem::path& room);

// Of the container's engine: takes complete images of a container that has ended, as
// Held::keep_checkpoint() does. False, and nothing done, for others. Throws Error(kNotFound) if the
// container has been removed.
using KeepInterrupted =
    std::function<bool(const journal::Host& host, const std::string& container_id,
                       const std::filesystem::path& images)>;
void register_undo(journal::Undoers& undoers, KeepInterrupted keep_interrupted);

}  // namespace still::checkpoint
