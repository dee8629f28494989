#include "cli/flags/container_flags.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "base/text.h"
#include "cli/flags/flag_values.h"
#include "cli/help.h"
#include "engine/container/security.h"
#include "engine/container/signals.h"
#include "engine/container/volumes.h"
#include "engine/image/image_config.h"

namespace still::cli {
namespace {

using engine::ContainerConfig;

// Podman's --rootfs is a switch: the first word is a directory. One that stands right behind it is
// taken at once, so that flags may follow; unless an entry point was named before, because what
// follows the directory then are arguments of that. CLI11 calls a switch that is on "true".
void add_rootfs(CLI::App& command, ContainerFlags& flags, CLI::Option& entrypoint) {
  CLI::Option& rootfs =
      *add_value(
           command, "--rootfs", flags.rootfs,
           "Use a directory, this one or the first argument, instead of an image; it is never "
           "written to",
           "[DIR]")
           ->expected(0, 1)
           ->default_str("true");
  entrypoint.trigger_on_parse()->each([&rootfs](const std::string&) { rootfs.expected(0); });
}

void add_process_flags(CLI::App& command, ContainerFlags& flags) {
  add_list(command, "-e,--env", flags.environment, "Set an environment variable", "NAME[=VALUE]");
  add_list(command, "--env-file", flags.environment_files, "Read environment variables from a file",
           "FILE");
  add_value(command, "-w,--workdir", flags.directory, "Working directory in the container", "DIR");
  add_value(command, "-u,--user", flags.user, "User and group that the command runs as",
            "USER[:GROUP]");
  CLI::Option& entrypoint =
      *add_value(command, "--entrypoint", flags.entrypoint,
                 "Program to run instead of the image's entry point", "PROGRAM|JSON");
  add_rootfs(command, flags, entrypoint);
  command.add_flag("-i,--interactive", flags.interactive, "Pass standard input on");
  command.add_flag("-t,--tty", flags.tty, "Give the container a terminal");
  command.add_flag("--init", flags.init, "Run a reaping init as process 1");
  add_value(command, "--stop-signal", flags.stop_signal, "Signal that stop sends (default TERM)",
            "SIGNAL");
  add_value(command, "--stop-timeout", flags.stop_timeout,
            "Seconds that stop waits before it kills (default 10)", "SECONDS");
}

void add_file_flags(CLI::App& command, ContainerFlags& flags) {
  command.add_flag("--read-only", flags.read_only, "Make the root file system read-only");
  add_value(command, "--shm-size", flags.shm_size, "Size of /dev/shm (default 64m)", "SIZE");
}

void add_limit_flags(CLI::App& command, ContainerFlags& flags) {
  add_list(command, "--cap-drop", flags.drop_capabilities, "Drop a capability", "CAPABILITY");
  add_list(command, "--ulimit", flags.ulimits, "Set a resource limit of the processes",
           "NAME=SOFT[:HARD]");
  add_value(command, "-m,--memory", flags.memory, "Memory limit", "SIZE");
  add_value(command, "--cpus", flags.cpus, "Number of CPUs, a fraction too", "NUMBER");
  add_value(command, "--pids-limit", flags.pids_limit, "Number of processes", "NUMBER");
}

void add_engine_flags(CLI::App& command, ContainerFlags& flags) {
  add_value(command, "--name", flags.name, "Name of the container", "NAME");
  command.add_flag("--rm", flags.remove, "Remove the container when it has ended");
  add_list(command, "-l,--label", flags.labels, "Attach a label", "KEY=VALUE");
  add_value(command, "-h,--hostname", flags.hostname, "Host name in the container", "NAME");
  add_value(command, "--log-driver", flags.log_driver,
            "Where output goes besides the terminal (default k8s-file)", "k8s-file|none");
}

// --- from flags to configuration ---

void set_mounts(ContainerConfig& config, const ContainerFlags& flags) {
  for (const std::string& value : flags.volumes) {
    const auto mount = parse_volume(value);
    if (const auto* bind = std::get_if<engine::BindMount>(&mount)) {
      config.binds.push_back(*bind);
    } else {
      config.volumes.push_back(std::get<engine::VolumeMount>(mount));
      const std::string& name = config.volumes.back().volume;
      if (!name.empty()) engine::check_name("volume", name);
    }
  }
  for (const std::string& value : flags.tmpfs) config.tmpfs.push_back(parse_tmpfs(value));
}

void check_destinations(const ContainerConfig& config) {
  std::set<std::string> seen;
  const auto add = [&seen](const std::string& destination) {
    if (!seen.insert(std::filesystem::path(destination).lexically_normal()).second) {
      throw Error(ErrorKind::kUsage, printable(destination) + ": duplicate mount destination");
    }
  };
  for (const auto& mount : config.volumes) add(mount.destination);
  for (const auto& mount : config.binds) add(mount.destination);
  for (const auto& mount : config.tmpfs) add(mount.destination);
}

void set_limits(ContainerConfig& config, const ContainerFlags& flags) {
  for (const std::string& value : flags.ulimits) config.rlimits.insert(parse_ulimit(value));
  if (flags.memory) {
    const auto bytes = static_cast<int64_t>(parse_size(*flags.memory));
    if (bytes > 0) config.memory_limit_bytes = bytes;
  }
  if (flags.cpus) config.cpus = parse_cpus(*flags.cpus);
  if (flags.pids_limit) config.pids_limit = parse_pids_limit(*flags.pids_limit);
  if (flags.shm_size) config.shm_size_bytes = parse_size(*flags.shm_size);
}

void set_security(ContainerConfig& config, const ContainerFlags& flags) {
  config.add_capabilities = flags.add_capabilities;
  config.drop_capabilities = flags.drop_capabilities;
  for (const std::string& value : flags.security_options) {
    if (auto option = parse_security_option(value)) config.security_options.push_back(*option);
  }
  // Both refuse what they do not know.
  engine::security_of(config);
  engine::effective_capabilities(config);
}

void set_engine(ContainerConfig& config, const ContainerFlags& flags) {
  config.remove_when_done = flags.remove;
  config.hostname = flags.hostname.value_or("");
  for (const std::string& value : flags.labels)
    config.labels.insert_or_assign(parse_label(value).first, parse_label(value).second);
  for (const std::string& value : flags.networks) config.network = parse_network(value);
  if (flags.runtime) config.runtime = *flags.runtime;
  if (flags.cgroups) config.cgroups = parse_cgroups(*flags.cgroups);
  if (flags.cgroup_parent) config.cgroup_parent = *flags.cgroup_parent;
  if (flags.log_driver) config.log_driver = parse_log_driver(*flags.log_driver);
  if (flags.stop_timeout) {
    config.stop_timeout_seconds = parse_seconds(*flags.stop_timeout, "--stop-timeout");
  }
}

void set_process(ContainerConfig& config, const ContainerFlags& flags) {
  config.terminal = flags.tty;
  config.open_stdin = flags.interactive;
  config.init = flags.init;
  config.read_only = flags.read_only;
}

// Files first: what is written on the command line itself counts more.
std::vector<std::string> environment_of(const ContainerFlags& flags) {
  std::vector<std::string> environment;
  for (const std::string& file : flags.environment_files) {
    std::ranges::move(read_environment_file(file), std::back_inserter(environment));
  }
  for (const std::string& value : flags.environment) {
    if (auto variable = parse_environment(value)) environment.push_back(std::move(*variable));
  }
  return environment;
}

engine::ImageOverrides overrides_of(const ContainerFlags& flags, std::vector<std::string> command) {
  engine::ImageOverrides given;
  if (flags.entrypoint) given.entrypoint = parse_entrypoint(*flags.entrypoint);
  given.command = std::move(command);
  given.environment = environment_of(flags);
  given.directory = flags.directory;
  given.user = flags.user;
  if (flags.stop_signal) given.stop_signal = engine::parse_signal(*flags.stop_signal);
  return given;
}

// Podman's ":O" asks for the overlay that we put over every directory.
std::string rootfs_directory(std::string word) {
  if (word.ends_with(":O")) word.resize(word.size() - 2);
  const auto path = std::filesystem::absolute(word).lexically_normal();
  if (!std::filesystem::is_directory(path)) {
    throw Error(ErrorKind::kNotFound, "--rootfs: " + printable(word) + " is not a directory");
  }
  return path.string();
}

struct Words {
  std::string base;  // image or directory
  bool is_rootfs;
  std::vector<std::string> command;
};

Words split_words(const ContainerFlags& flags, std::vector<std::string> words) {
  const bool is_switch = !flags.rootfs || flags.rootfs == "true" || flags.rootfs == "false";
  if (!is_switch) return {*flags.rootfs, true, std::move(words)};
  if (words.empty()) {
    throw Error(ErrorKind::kUsage, "no image named",
                "give an image, or --rootfs and a directory, before the command");
  }
  return {words.front(), flags.rootfs == "true", {words.begin() + 1, words.end()}};
}

// Names what the container is made from, and returns what that says about running it.
engine::ImageConfig set_base(Context& context, ContainerConfig& config, const Words& words) {
  if (words.is_rootfs) {
    config.rootfs = rootfs_directory(words.base);
    return {};
  }
  const auto image = context.store().find_image(words.base);
  config.image = words.base;
  config.image_id = image.id;
  return engine::parse_image_config(image.config_json);
}

// A flag that came too late, which the runtime would only not find.
void check_program(const ContainerConfig& config) {
  const std::string& program = config.arguments.front();
  if (!program.starts_with('-')) return;
  throw Error(ErrorKind::kUsage, "the command begins with \"-\": " + printable(program),
              "flags go before the image or directory, the command follows it");
}

}  // namespace

void add_granting_flags(CLI::App& command, ContainerFlags& flags) {
  add_list(command, "-v,--volume", flags.volumes, "Mount a volume or a directory of the host",
           "[NAME|HOST-DIR:]DIR[:ro]");
  add_list(command, "--tmpfs", flags.tmpfs, "Mount a tmpfs", "DIR[:size=64m,...]");
  add_list(command, "--cap-add", flags.add_capabilities, "Add a capability", "CAPABILITY");
  add_list(command, "--security-opt", flags.security_options, "Security option",
           "no-new-privileges|seccomp=unconfined");
  add_list(command, "--network,--net", flags.networks, "Network of the container (default none)",
           "none|host");
  add_value(command, "--runtime", flags.runtime, "OCI runtime: crun, runc or a path (default crun)",
            "RUNTIME");
  add_value(command, "--cgroups", flags.cgroups, "Whether the container gets a cgroup of its own",
            "enabled|disabled");
  add_value(command, "--cgroup-parent", flags.cgroup_parent,
            "Cgroup to make the container's in (default /still)", "PATH");
}

ContainerConfig make_grants(const ContainerFlags& flags) {
  ContainerConfig config;
  set_engine(config, flags);
  set_mounts(config, flags);
  if (!config.volumes.empty()) {
    throw Error(
        ErrorKind::kUsage, "the archive's volumes are restored with it",
        "give --rename-volume or --ignore-volumes, and -v only for directories of the host");
  }
  set_security(config, flags);
  return config;
}

void add_container_flags(CLI::App& command, ContainerFlags& flags) {
  command.set_help_flag("--help", "Print this help and exit");  // -h is the host name's
  begin_flag_group(command, "The container");
  add_engine_flags(command, flags);
  begin_flag_group(command, "Its first process");
  add_process_flags(command, flags);
  begin_flag_group(command, "Files, network and rights");
  add_granting_flags(command, flags);
  add_file_flags(command, flags);
  begin_flag_group(command, "Limits");
  add_limit_flags(command, flags);
}

ContainerConfig make_config(Context& context, const ContainerFlags& flags,
                            std::vector<std::string> line) {
  const Words words = split_words(flags, std::move(line));
  if (flags.name) engine::check_name("container", *flags.name);
  ContainerConfig config;
  set_process(config, flags);
  set_engine(config, flags);
  set_mounts(config, flags);
  check_destinations(config);
  set_limits(config, flags);
  set_security(config, flags);
  const auto given = overrides_of(flags, words.command);
  const auto image = set_base(context, config, words);
  engine::apply_image_defaults(config, image, given);
  check_program(config);
  return config;
}

}  // namespace still::cli
