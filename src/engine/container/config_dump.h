// What an archive says of a container of ours: written at a checkpoint, read at a restore. Keys of
// config.dump are those of libpod's ContainerConfig, so that Podman's tools can read it; everything
// Still needs is below its key "still".
#pragma once

#include <string>
#include <string_view>

#include "engine/container/container.h"
#include "engine/container/container_config.h"

namespace still::engine {

struct ArchivedContainer {
  std::string id;
  std::string name;
  ContainerConfig config;
};

std::string write_config_dump(const Container& container);
// Whether Still wrote it. Throws Error(kCorrupt).
bool is_our_config_dump(std::string_view json);
// Throws Error(kCorrupt); Error(kUnsupported) for an archive that another engine wrote.
ArchivedContainer parse_config_dump(std::string_view json);

// The bundle's runtime spec with the annotation by which checkpointctl tells the engine.
std::string write_spec_dump(const Container& container);

}  // namespace still::engine
