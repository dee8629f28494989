// The flags that create and run share, and the container configuration they amount to.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/app.h"
#include "engine/container/container_config.h"

namespace still::cli {

// As typed; what they mean is decided by make_config().
struct ContainerFlags {
  std::optional<std::string> name;
  bool remove = false;
  bool interactive = false;
  bool tty = false;
  bool init = false;
  bool read_only = false;
  std::vector<std::string> volumes;
  std::vector<std::string> tmpfs;
  std::vector<std::string> environment;
  std::vector<std::string> environment_files;
  std::vector<std::string> labels;
  std::vector<std::string> add_capabilities;
  std::vector<std::string> drop_capabilities;
  std::vector<std::string> security_options;
  std::vector<std::string> ulimits;
  std::vector<std::string> networks;
  std::optional<std::string> rootfs;  // a directory, or "true": the first word is one
  std::optional<std::string> directory;
  std::optional<std::string> user;
  std::optional<std::string> entrypoint;
  std::optional<std::string> hostname;
  std::optional<std::string> shm_size;
  std::optional<std::string> runtime;
  std::optional<std::string> cgroups;
  std::optional<std::string> cgroup_parent;
  std::optional<std::string> log_driver;
  std::optional<std::string> memory;
  std::optional<std::string> cpus;
  std::optional<std::string> pids_limit;
  std::optional<std::string> stop_signal;
  std::optional<std::string> stop_timeout;
};

void add_container_flags(CLI::App& command, ContainerFlags& flags);

// The flags that give a container more than it has by default: a restore takes them, too.
void add_granting_flags(CLI::App& command, ContainerFlags& flags);
// What they amount to, the rest as by default. Throws Error(kUsage), Error(kUnsupported).
engine::ContainerConfig make_grants(const ContainerFlags& flags);

// words: image or directory, unless --rootfs has one, then the command. Throws Error(kUsage),
// Error(kUnsupported), Error(kNotFound); nothing has been made then.
engine::ContainerConfig make_config(Context& context, const ContainerFlags& flags,
                                    std::vector<std::string> words);

}  // namespace still::cli
