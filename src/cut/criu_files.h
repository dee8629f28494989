// The files around one call of CRIU: what it is told, its log, its statistics.
#pragma once

#include <filesystem>
#include <memory>

#include "base/error.h"
#include "cgroup/borrowed.h"
#include "checkpoint/plan.h"
#include "engine/container/container.h"
#include "oci/runtime.h"
#include "restore/restore.h"

namespace still::cut {

// A cgroup for the time of the dump, for a container that has none of its own; null for others.
// cgroup/borrowed.h says why CRIU must not do without.
std::unique_ptr<cgroup::BorrowedCgroup> lend_cgroup(const engine::Container& container);
// What undoing that needs to know, if it will be done.
void note_lent_cgroup(store::JournalEntry& entry, const engine::Container& container);

struct DumpSettings {
  std::filesystem::path images;
  std::filesystem::path work;                    // for CRIU's log and statistics
  const cgroup::BorrowedCgroup* lent = nullptr;  // from lend_cgroup
  // The images are to be without memory. With a parent image: they become a difference to those in
  // `parent` beside them.
  std::optional<memory::Skeleton> skeleton;
  // Where CRIU waits before it touches the container (criu/gate.h); empty: nowhere.
  std::filesystem::path gate{};
};
// The runtime's checkpoint of the container. Writes the container's CRIU configuration files.
Command checkpoint_command(const engine::Container& container,
                           const checkpoint::CheckpointOptions& options,
                           const DumpSettings& settings);
// Options for the runtime's restore, likewise.
oci::RestoreOptions restore_options(const engine::Container& container,
                                    const restore::RestoreOptions& options,
                                    const std::filesystem::path& images,
                                    const std::filesystem::path& work);

// Throws Error(kRuntime) unless the images are complete: the runtime may say that all is well.
void require_images(const std::filesystem::path& images);

// Copies CRIU's log and statistics from a work directory into `kept`, a directory in the
// container's own that outlives the operation. Returns the path of the log there.
std::filesystem::path keep_criu_files(const std::filesystem::path& work,
                                      const std::filesystem::path& kept);

// A failure of the runtime together with the lines of CRIU's log that explain it; the log is kept
// in `kept`, and the hint says where. Other errors come back as they are.
Error explain_failure(const Error& error, const std::filesystem::path& log,
                      const std::filesystem::path& kept);

}  // namespace still::cut
