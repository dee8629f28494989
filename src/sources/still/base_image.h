// The image that a container from an archive begins with: of Still's own store, or of another
// engine's on this machine.
#pragma once

#include <string>

#include "engine/container/container_config.h"
#include "journal/host.h"

namespace still::sources {

// The one that the archive says, by its id. If the store lacks it and Podman or Docker has it, it
// is copied from there into the store, where it stays; config gets the id that it has here. Throws
// Error(kNotFound) if nobody has it.
void take_archived_image(engine::ContainerConfig& config, const journal::Host& host);

// One that the caller says instead: a name or id of the store, or what skopeo can copy from, as
// "containers-storage:localhost/web" or "docker-daemon:web:latest". Throws Error(kNotFound).
void take_image(engine::ContainerConfig& config, const std::string& reference,
                const journal::Host& host);

}  // namespace still::sources
