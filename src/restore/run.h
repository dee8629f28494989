// The part that every restore shares: mount, fill, run.
#pragma once

#include <filesystem>
#include <functional>

#include "cut/observer.h"
#include "restore/restore.h"
#include "store/layout.h"
#include "subject/destination.h"

namespace still::restore {

// Mounts the container, calls fill (to bring the mounted trees to the state of the cut) and lets
// the runtime restore it from the images. On error the mounts are gone, CRIU's log is kept and the
// message says where.
// dumped_cgroup: where the container lived when the images were made; empty: it had none.
RestoreResult run_restored(subject::Restorable& container, const store::Layout& layout,
                           const std::filesystem::path& images, const std::string& dumped_cgroup,
                           const RestoreOptions& options, cut::Observer& observer,
                           const std::function<void()>& fill);

}  // namespace still::restore
