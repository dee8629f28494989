// Running a container in the foreground: run, start --attach.
#pragma once

#include "cli/app.h"
#include "engine/container/container.h"

namespace still::cli {

// Starts the container with our stdio connected to it, passes data (and signals, unless it has a
// terminal) until it ends or the user detaches. Returns its exit code; 0 after a detach. The
// container is not locked while it runs. Throws what Container::start() throws.
int run_attached(Context& context, engine::Container container, bool open_stdin);

}  // namespace still::cli
