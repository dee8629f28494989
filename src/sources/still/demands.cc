#include "sources/still/demands.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "engine/container/libpod_config.h"
#include "engine/container/mounts.h"
#include "engine/container/security.h"
#include "oci/capabilities.h"
#include "oci/runtime.h"
#include "oci/spec.h"
#include "os/limits.h"

namespace still::sources {
namespace {

using engine::ContainerConfig;

std::string describe(const engine::BindMount& bind) {
  const std::string& source = source_of(bind);
  return "-v " + bind.source + ":" + bind.destination + (bind.read_only ? ":ro" : "") +
         (source == bind.source ? "" : " (which was " + source + ")");
}

// What trees can ask for.
constexpr std::string_view kMakeNodes = "--cap-add CAP_MKNOD";
constexpr std::string_view kAdministrate = "--cap-add CAP_SYS_ADMIN";
constexpr std::string_view kAllCapabilities = "--cap-add ALL";

bool is_risky(const engine::TmpfsMount& tmpfs) {
  return std::ranges::contains(tmpfs.options, "dev") ||
         std::ranges::contains(tmpfs.options, "suid");
}

std::string describe(const engine::TmpfsMount& tmpfs) {
  return "--tmpfs " + tmpfs.destination + ":" + join(tmpfs.options, ",");
}

void add_capabilities(const ContainerConfig& config, std::vector<std::string>& demands) {
  for (const std::string& name : config.add_capabilities) {
    if (name == "ALL" || name == "all") return void(demands.emplace_back(kAllCapabilities));
  }
  const auto& usual = oci::default_capabilities();
  for (const std::string& name : engine::effective_capabilities(config)) {
    if (!std::ranges::contains(usual, name)) demands.push_back("--cap-add " + name);
  }
}

// Limits of priorities that a program could give itself.
struct PriorityLimit {
  const char* name;  // in a configuration
  const char* flag;  // of --ulimit
  uint64_t criu::Scheduling::* limit;
};
constexpr std::array<PriorityLimit, 2> kPriorityLimits = {
    {{"RLIMIT_RTPRIO", "rtprio", &criu::Scheduling::realtime_priority},
     {"RLIMIT_NICE", "nice", &criu::Scheduling::nice_limit}}};

// Beyond those of the caller.
void add_priorities(const ContainerConfig& config, std::vector<std::string>& demands) {
  const auto own = criu::Scheduling::of_this_process();
  for (const auto& [name, flag, limit] : kPriorityLimits) {
    const auto asked = config.rlimits.find(name);
    if (asked == config.rlimits.end() || asked->second.second <= own.*limit) continue;
    demands.push_back(
        formatted("--ulimit {}={}:{}", flag, asked->second.first, asked->second.second));
  }
}

criu::Scheduling scheduling_of(const ContainerConfig& config) {
  auto result = criu::Scheduling::of_this_process();
  for (const auto& [name, flag, limit] : kPriorityLimits) {
    const auto asked = config.rlimits.find(name);
    if (asked != config.rlimits.end())
      result.*limit = std::max(result.*limit, asked->second.second);
  }
  return result;
}

// The store's own container of this id: what it has it may have again.
std::optional<ContainerConfig> known_container(store::Store& store, const std::string& id) {
  for (const store::ContainerRecord& record : store.containers()) {
    if (record.id == id) return engine::parse_container_config(record.config_json);
  }
  return std::nullopt;
}

// What other engines do not hide from any container, and Still does.
std::set<std::string> seen_before(const ContainerConfig& config) {
  if (!config.from_podman && !config.from_other_engine) return {};
  return {"/proc/interrupts", "/sys/dev/block"};
}

bool is_usual_runtime(const std::string& name) { return name == "crun" || name == "runc"; }

// Each gives CRIU the mounts in its own way, and finds only its own in the images. To know of which
// kind a program is, it is run: one that only the archive names is not, and has to be granted.
void take_runtime(ContainerConfig& asked, const std::optional<std::string>& wanted) {
  if (!wanted || *wanted == asked.runtime || !is_usual_runtime(asked.runtime)) return;
  if (oci::OciRuntime::open(*wanted, {}, false)->name() != asked.runtime) {
    throw Error(ErrorKind::kUsage,
                formatted("the archive is of a container of {}, which {} cannot restore",
                          asked.runtime, *wanted),
                "leave --runtime out, or name another " + asked.runtime);
  }
  asked.runtime = *wanted;
}

// Its processes find a network namespace in which there is only the loopback device.
void take_network(ContainerConfig& asked, bool without) {
  if (asked.network != engine::kPodmanNetwork) return;
  if (!without) {
    throw Error(ErrorKind::kUsage,
                "the container had a network that Podman had made, which Still does not offer",
                "restore it without one: --network none");
  }
  asked.network = "none";
}

void take_binds(ContainerConfig& asked, const ContainerConfig& granted) {
  for (const engine::BindMount& bind : granted.binds) {
    const auto place =
        std::ranges::find(asked.binds, bind.destination, &engine::BindMount::destination);
    if (place != asked.binds.end()) *place = bind;
  }
}

// is_granted_all: who grants everything may say in advance what it is that the trees may hold.
void refuse_needless(const std::vector<std::string>& granted, const std::set<std::string>& asked,
                     bool is_granted_all) {
  for (const std::string& flag : granted) {
    if (asked.contains(flag)) continue;
    if (is_granted_all && (flag == kMakeNodes || flag == kAdministrate)) continue;
    throw Error(ErrorKind::kUsage, "the archive does not ask for " + printable(flag),
                "leave that out: a restored container has the settings that it was made with");
  }
}

// The kernel would end other programs for it.
void require_memory(uint64_t size_bytes) {
  const uint64_t available = available_memory();
  if (size_bytes <= available) return;
  throw Error(ErrorKind::kSystem,
              "the archive holds " + human_size(size_bytes) +
                  " of files in memory (tmpfs), and the machine has " + human_size(available),
              "free memory, or restore elsewhere");
}

}  // namespace

std::vector<std::string> demands_of(const ContainerConfig& config) {
  const ContainerConfig usual;
  std::vector<std::string> demands;
  const auto add = [&](bool asked, const std::string& flag) {
    if (asked) demands.push_back(flag);
  };
  add(!config.rootfs.empty(), "--rootfs " + config.rootfs);
  for (const auto& bind : config.binds) demands.push_back(describe(bind));
  for (const auto& tmpfs : config.tmpfs) add(is_risky(tmpfs), describe(tmpfs));
  add_capabilities(config, demands);
  add(!engine::security_of(config).seccomp, "--security-opt seccomp=unconfined");
  add_priorities(config, demands);
  add(config.network == "host", "--network host");
  add(!is_usual_runtime(config.runtime), "--runtime " + config.runtime);
  add(!config.cgroups, "--cgroups disabled");
  add(config.cgroup_parent != usual.cgroup_parent, "--cgroup-parent " + config.cgroup_parent);
  return demands;
}

std::vector<std::string> demands_of(const criu::ImagePrivileges& images,
                                    const ContainerConfig& config) {
  const engine::Security security = engine::security_of(config);
  return images.beyond({.capabilities = engine::effective_capabilities(config),
                        .seccomp = security.seccomp,
                        .no_new_privileges = security.no_new_privileges,
                        .host_network = config.network == "host",
                        .cgroup = config.cgroups,
                        .tmpfs = engine::tmpfs_sizes(config),
                        .memory_bytes = config.memory_limit_bytes,
                        .scheduling = scheduling_of(config),
                        .visible = seen_before(config)});
}

std::vector<TreeDemand> demands_of(const subject::PrivilegedTrees& trees) {
  std::vector<TreeDemand> demands;
  const auto add = [&](std::string_view flag, const std::string& what, const std::string& member,
                       const SomePaths& paths) {
    if (paths.empty()) return;
    demands.push_back({.flag = std::string(flag),
                       .because = formatted("{} in {}: {}", what, member, describe(paths))});
  };
  for (const auto& [member, entries] : trees) {
    add(kMakeNodes, "device nodes", member, entries.devices);
    add(kAdministrate, "attributes trusted.*", member, entries.trusted);
  }
  return demands;
}

std::string describe(const TreeDemand& demand) {
  return formatted("{} ({})", demand.flag, demand.because);
}

ContainerConfig grant(ContainerConfig asked, const criu::ImagePrivileges& images,
                      const subject::PrivilegedTrees& trees, const std::string& container_id,
                      const Grants& grants, store::Store& store) {
  take_runtime(asked, grants.runtime);
  take_network(asked, grants.without_network);
  take_binds(asked, grants.granted);
  const auto demands = demands_of(asked);
  const auto of_trees = demands_of(trees);
  const auto granted = demands_of(grants.granted);
  std::set<std::string> all_asked(demands.begin(), demands.end());
  for (const TreeDemand& demand : of_trees) all_asked.insert(demand.flag);
  refuse_needless(granted, all_asked, grants.everything);
  const auto of_images = demands_of(images, asked);  // throws for some whatever is granted
  require_memory(images.tmpfs_bytes());
  if (grants.everything) return asked;

  std::set<std::string> allowed(granted.begin(), granted.end());
  if (const auto known = known_container(store, container_id)) {
    for (const std::string& flag : demands_of(*known)) allowed.insert(flag);
  }
  std::vector<std::string> open;
  for (const std::string& flag : demands) {
    if (!allowed.contains(flag)) open.push_back(printable(flag));
  }
  const bool has_all_capabilities = allowed.contains(std::string(kAllCapabilities));
  for (const TreeDemand& demand : of_trees) {
    if (!has_all_capabilities && !allowed.contains(demand.flag)) open.push_back(describe(demand));
  }
  open.insert(open.end(), of_images.begin(), of_images.end());
  if (open.empty()) return asked;
  throw Error(ErrorKind::kUsage,
              "the archive asks for more than a container gets by default: " + join(open, ", "),
              "give the same flags if it shall have that, or --allow-spec for all of it");
}

}  // namespace still::sources
