// Another process inside a running container.
#pragma once

#include <string>
#include <vector>

#include "engine/container/container.h"

namespace still::engine {

struct ExecSettings {
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // added to the container's
  std::string directory;                 // empty: the container's
  std::string user;                      // empty: the container's
  bool terminal = false;
  bool interactive = false;
  bool detach = false;
};

// Runs it with our stdio and returns its exit code; 125, 126 or 127, as Podman, if it cannot be
// run, which the runtime explains on our standard error. The container's lock is held while the
// process is brought in (so that it cannot enter a freeze window) and released while it runs.
// detach: returns 0 as soon as it runs.
int exec(Container container, const ExecSettings& settings);

}  // namespace still::engine
