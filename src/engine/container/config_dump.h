// What an archive says of a container of ours: written at a checkpoint, read at a restore. Keys of
// config.dump are those of libpod's ContainerConfig, so that Podman's tools can read it; everything
// Still needs is below its key "still". Where that is missing, the container was Podman's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/container/container.h"
#include "engine/container/container_config.h"

namespace still::engine {

enum class Maker { kStill, kPodman };

struct ArchivedContainer {
  Maker maker = Maker::kStill;  // the engine that the container was one of
  std::string id;
  std::string name;
  ContainerConfig config{};
  std::string cgroup{};                 // where that engine had it, as Subject::cgroup
  std::vector<std::string> left_out{};  // limits that config lacks: other_libpod_limits()
};

// With what Podman needs to make such a container of it: its cgroup, among others.
std::string write_config_dump(const Container& container);
// Whether Still or Podman wrote it. Throws Error(kCorrupt).
bool is_known_config_dump(std::string_view json);
// Throws Error(kCorrupt); Error(kUnsupported) for an archive that another engine wrote, or of a
// container of Podman's with what Still does not offer.
ArchivedContainer parse_config_dump(std::string_view json);

// The bundle's runtime spec as Podman can restore with it: with the annotation by which
// checkpointctl tells the engine, volumes where Podman has them, a network namespace that is made
// anew, and without the mounts that Podman makes for every container.
std::string write_spec_dump(const Container& container);

// The cgroup that both of them name.
std::string archived_cgroup(const std::string& container_id);

}  // namespace still::engine
