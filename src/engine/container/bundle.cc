#include "engine/container/bundle.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "engine/container/etc_files.h"
#include "engine/container/mounts.h"
#include "engine/container/security.h"
#include "engine/container/users.h"
#include "oci/runtime.h"
#include "os/files.h"

namespace still::engine {
namespace {

constexpr std::string_view kDefaultPath =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

void add_default(std::vector<std::string>& environment, std::string_view assignment) {
  const std::string_view name = assignment.substr(0, assignment.find('=') + 1);
  const bool known = std::ranges::any_of(
      environment, [&](const std::string& entry) { return entry.starts_with(name); });
  if (!known) environment.emplace_back(assignment);
}

std::vector<std::string> full_environment(const Identity& identity, const ContainerConfig& config,
                                          const std::string& home) {
  std::vector<std::string> environment = config.environment;
  add_default(environment, kDefaultPath);
  add_default(environment, "container=still");
  add_default(environment, "HOSTNAME=" + hostname_of(config, identity.id));
  add_default(environment, "HOME=" + home);
  if (config.terminal) add_default(environment, "TERM=xterm");
  return environment;
}

std::vector<std::string> full_arguments(const ContainerConfig& config) {
  if (!config.init) return config.arguments;
  std::vector<std::string> arguments = {kInitPath, "--"};
  arguments.insert(arguments.end(), config.arguments.begin(), config.arguments.end());
  return arguments;
}

}  // namespace

std::string cgroup_path(const ContainerConfig& config, const std::string& id) {
  if (!config.cgroup.empty()) return config.cgroup;
  return config.cgroup_parent + (config.cgroup_parent.ends_with('/') ? "" : "/") + id;
}

std::string hostname_of(const ContainerConfig& config, const std::string& id) {
  if (!config.hostname.empty()) return config.hostname;
  if (config.network != "host") return id.substr(0, 12);
  char name[HOST_NAME_MAX + 1] = {};
  if (::gethostname(name, sizeof name - 1) != 0) {
    throw Error::system(errno, "cannot get the host's name");
  }
  return name;
}

oci::ProcessSettings process_settings(const Identity& identity, const ContainerConfig& config,
                                      const ContainerPaths& paths) {
  const auto user = resolve_user(config.user, open_file(paths.merged(), O_RDONLY | O_DIRECTORY));
  return {.arguments = full_arguments(config),
          .environment = full_environment(identity, config, user.home),
          .directory = config.directory,
          .user = user.ids,
          .terminal = config.terminal,
          .capabilities = effective_capabilities(config),
          .no_new_privileges = security_of(config).no_new_privileges,
          .rlimits = config.rlimits};
}

oci::SpecSettings spec_settings(const store::Layout& layout, const Identity& identity,
                                const ContainerConfig& config, const ContainerPaths& paths) {
  oci::SpecSettings settings;
  settings.process = process_settings(identity, config, paths);
  settings.rootfs = paths.merged();
  settings.read_only = config.read_only;
  settings.hostname = hostname_of(config, identity.id);
  settings.mounts = container_mounts(layout, config, paths);
  settings.host_network = config.network == "host";
  if (config.network == "none") settings.network_namespace = paths.network_namespace();
  if (config.cgroups) settings.cgroup_path = cgroup_path(config, identity.id);
  settings.memory_limit_bytes = config.memory_limit_bytes;
  settings.pids_limit = config.pids_limit;
  settings.cpus = config.cpus;
  settings.seccomp = security_of(config).seccomp;
  settings.annotations = {{oci::kCriuConfigurationAnnotation, paths.criu_overrides()}};
  return settings;
}

void write_bundle(const store::Layout& layout, const Identity& identity,
                  const ContainerConfig& config, const ContainerPaths& paths) {
  make_directory(paths.bundle(), 0700);
  make_etc_files(paths, config, hostname_of(config, identity.id), identity.name);
  if (config.from_podman) open_file(paths.containerenv(), O_WRONLY | O_CREAT, 0644);
  const auto spec = oci::build_spec(spec_settings(layout, identity, config, paths));
  write_file_atomically(paths.bundle() / "config.json", spec.dump(), 0600);
}

}  // namespace still::engine
