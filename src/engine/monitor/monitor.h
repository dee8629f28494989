// conmon, the process that owns a container's stdio, writes its log and keeps its exit code.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

#include "engine/container/container_config.h"
#include "oci/runtime.h"
#include "store/layout.h"

namespace still::engine {

struct MonitorRequest {
  std::string id;
  std::string name;
  const ContainerConfig& config;
  const oci::OciRuntime& runtime;
  // Restore from these images instead of creating.
  std::optional<oci::RestoreOptions> restore;
};

// Starts conmon, which calls the runtime ("create", or "restore"), and waits for its word. Returns
// the pid of the container's init. On failure throws Error(kRuntime) with what the runtime said
// (kCommandMissing and kCannotExecute for a command that does not exist or cannot run); conmon has
// ended then. conmon goes on by itself otherwise and calls "still container cleanup ID" at the end.
pid_t start_monitor(const store::Layout& layout, const MonitorRequest& request);

// For a restore whose process died: waits until the runtime that conmon has started is done. The
// pid of the container's init if it was restored, runs and conmon looks after it.
std::optional<pid_t> wait_for_orphan(const store::Layout& layout, const std::string& id);

// The exit code from conmon's exit file; nullopt while there is none.
std::optional<int> read_exit_code(const store::Layout& layout, const std::string& id);

}  // namespace still::engine
