// Private files and directories, as steps.
#pragma once

#include <filesystem>

#include "journal/entry.h"
#include "journal/undoers.h"

namespace still::journal {

// Of a path that nobody else uses; its undo removes it with all that is mounted in it.
Step path_step(const std::filesystem::path& path);

// Whether one that the entry names is there.
bool has_paths_left(const Entry& entry);

void register_undo(Undoers& undoers);

}  // namespace still::journal
