// What a checkpoint whose process is killed would leave of its window, as steps of its entry in the
// journal.
#pragma once

#include <filesystem>

#include "cgroup/freezer.h"
#include "journal/undoers.h"
#include "subject/subject.h"

namespace still::cut {

// A container's cgroup, while we may have frozen it; its undo thaws it.
inline constexpr const char* kFrozenStep = "freezer";
journal::Step frozen_step(const subject::Subject& subject, const cgroup::Freezer& freezer);

// A cgroup that is lent to the container (cgroup/borrowed.h), and the one that it comes from, by
// their directories.
journal::Step lent_cgroup_step(const std::filesystem::path& directory,
                               const std::filesystem::path& home);

// A cgroup for those that guard and dump (cgroup/shelter.h), by its path.
std::string shelter_path(const std::string& key);
journal::Step shelter_step(const std::string& path);

// Copies of the container's processes (memory/fork_copy.h). images: CRIU's.
journal::Step copies_step(const std::filesystem::path& images);

void register_undo(journal::Undoers& undoers);

}  // namespace still::cut
