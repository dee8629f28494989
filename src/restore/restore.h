// Bringing a checkpointed container back: in place, or from an archive.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "criu/criu.h"
#include "cut/observer.h"
#include "journal/host.h"
#include "subject/destination.h"

namespace still::restore {

struct RestoreOptions {
  // CRIU's log and statistics, and the checkpoint of a restore in place, stay in the store.
  bool keep = false;
  bool tcp_established = false;
  bool tcp_close = false;
  bool file_locks = false;
  // From an archive only:
  std::string identity;  // file of the age identity that opens it; empty: it is not encrypted
  subject::Wishes wishes;
  bool require_certificate = false;  // that it is consistent
  bool ignore_rootfs = false;
  bool ignore_volumes = false;
};

struct RestoreResult {
  std::string container_id;
  std::string container_name;
  bool consistent = true;  // what the archive's manifest says, false without one; true in place
  std::string inconsistent_because;
  // The archive's volumes that ignore_volumes has left out: what is in those here, and what the
  // container remembers, are of different instants whatever the manifest says. As in the archive,
  // not printable.
  std::vector<std::string> volumes_left_out;
  std::optional<criu::RestoreStatistics> criu;
  std::chrono::nanoseconds runtime_duration{};
  std::chrono::nanoseconds total{};
};

// Brings a container back that was checkpointed and has ended. After a default checkpoint its root
// file system and volumes are as CRIU left them. After a live checkpoint that was not exported
// they have moved on: root file system and volumes are set back to the cut first.
// reference: as Destination::open()'s; its errors, too.
// Throws Error(kConflict) for a container that runs or has no checkpoint, Error(kRuntime) when the
// runtime or CRIU fails; the container is then exited as before and its checkpoint still there.
RestoreResult restore_in_place(subject::Destination& destination, const std::string& reference,
                               const journal::Host& host, const RestoreOptions& options,
                               cut::Observer& observer);

// Makes a container of destination's from an archive and lets it run on from the instant of the
// cut. The archive is verified as a whole before anything is made. Throws Error: kCorrupt (the
// archive, naming the member), kUsage (it asks for more than was granted, or lacks the certificate
// that is required), kNotFound (no such base
// image, root file system or bind mount source), kConflict (name, id or volume exists), kRuntime
// (runtime or CRIU). Whatever fails, no container, volume, mount or cgroup is left.
RestoreResult restore_archive(const std::filesystem::path& archive,
                              subject::Destination& destination, const journal::Host& host,
                              const RestoreOptions& options, cut::Observer& observer);

}  // namespace still::restore
