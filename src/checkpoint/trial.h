// Whether what was dumped comes back: by what its images show, and by a restore on trial. The copy
// gets the container's files by overlays, so that its changes go nowhere, and is thrown away before
// any process of it has run.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/plan.h"
#include "journal/entry.h"
#include "subject/subject.h"

namespace still::checkpoint {

struct Trial {
  const subject::Subject& subject;
  const CheckpointOptions& options;
  std::filesystem::path images;  // CRIU's; they stay as they are
  // The container's trees, as they were when it was dumped, and where they are. Nobody changes them
  // meanwhile.
  std::vector<std::pair<subject::Tree, std::filesystem::path>> trees;
};

// Why this container's images cannot be tried, as a phrase behind "container NAME"; empty: they
// can.
std::string why_not_tried(const subject::Subject& subject);

// Where a trial works: private, for the journal's entry with that key; on the file system of the
// images. And what it would leave there when its process is killed.
std::filesystem::path trial_place(const std::filesystem::path& staging, const std::string& key);
void note_trial(journal::Entry& entry, const std::filesystem::path& place);

// Throws Error(kUnsupported) with what no restore could bring back, or, where a trial is asked for,
// with CRIU's reason if that fails; Error(kSystem). Nothing is left of it, whatever happens.
void require_restorable(const Trial& trial, const std::filesystem::path& place);

}  // namespace still::checkpoint
