// A restore on trial: whether what was dumped comes back, seen by bringing it back. The copy gets
// the container's files by overlays, so that its changes go nowhere, and is thrown away before any
// process of it has run.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "journal/entry.h"
#include "oci/runtime.h"
#include "subject/subject.h"

namespace still::checkpoint {

struct Trial {
  const subject::Subject& subject;
  std::filesystem::path images;  // CRIU's; they stay as they are
  // The container's trees, as they were when it was dumped, and where they are. Nobody changes them
  // meanwhile.
  std::vector<std::pair<subject::Tree, std::filesystem::path>> trees;
  bool tcp_established = false;
  bool file_locks = false;
  // How long the restore may take, beside the time that reading the images takes.
  std::chrono::nanoseconds timeout{};
};

// What is known that no restore could bring back, as a sentence; empty: nothing.
std::string why_not_restorable(const std::filesystem::path& images);

// Why this container's images cannot be tried, as a phrase behind "container NAME"; empty: they
// can.
std::string why_not_tried(const subject::Subject& subject);

// Where a trial works: private, for the journal's entry with that key; on the file system of the
// images. And what it would leave there when its process is killed.
std::filesystem::path trial_place(const std::filesystem::path& staging, const std::string& key);
void note_trial(journal::Entry& entry, const std::filesystem::path& place);

// Nothing is left of it, whatever happens. Throws Error(kUnsupported) with CRIU's reason if the
// restore fails, Error(kSystem).
void try_restore(const Trial& trial, const std::filesystem::path& place);

}  // namespace still::checkpoint
