// What a restore whose process is killed would leave, as steps of its entry in the journal.
#pragma once

#include <filesystem>

#include "journal/operation.h"
#include "journal/undoers.h"

namespace still::restore {

// The name of the operation.
inline constexpr const char* kOperation = "restore";

// The container and the volumes that say that this operation has made them (made_by): all that is
// made by a restore from an archive.
journal::Step made_step();

// A container that was there before and is set back: what runs of it is ended. Directories that
// are emptied for that: what they held, aside(), comes back.
journal::Step set_back_step();
journal::Step set_aside_step(const std::filesystem::path& directory);
std::filesystem::path aside(const std::filesystem::path& directory);

// A container that goes on with its own files, not copies. may_have_run: the restore came to where
// CRIU may let the tasks run, and write to them. An entry has one such step at most.
void set_own_files_step(journal::Entry& entry, bool may_have_run);

// From here on only what is left of paths, and of directories set aside, is to be removed.
void has_succeeded(journal::Operation& operation);

void register_undo(journal::Undoers& undoers);

}  // namespace still::restore
