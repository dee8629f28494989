// The part that every restore shares: mount, fill, run.
#pragma once

#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/log.h"
#include "cut/observer.h"
#include "engine/container/container.h"
#include "restore/restore.h"

namespace still::restore {

// Mounts the container, calls fill (to bring the mounted trees to the state of the cut) and lets
// the runtime restore it from the images. On error the mounts are gone, CRIU's log is kept and the
// message says where.
// dumped_cgroup: where the container lived when the images were made; empty: it had none.
RestoreResult run_restored(engine::Container& container, const store::Layout& layout,
                           const std::filesystem::path& images, const std::string& dumped_cgroup,
                           const RestoreOptions& options, cut::Observer& observer,
                           const std::function<void()>& fill);

// For undoing on the way out of an error: whatever goes wrong here is reported, the first error
// stays the one that is thrown.
template <typename Action>
void undo(const Action& action) noexcept {
  try {
    action();
  } catch (const Error& error) {
    log(LogLevel::kError, error.message());
  }
}

}  // namespace still::restore
