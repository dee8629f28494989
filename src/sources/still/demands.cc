#include "sources/still/demands.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "engine/container/security.h"
#include "oci/capabilities.h"
#include "oci/spec.h"

namespace still::sources {
namespace {

using engine::ContainerConfig;

std::string describe(const engine::BindMount& bind) {
  return "-v " + bind.source + ":" + bind.destination + (bind.read_only ? ":ro" : "");
}

bool is_risky(const engine::TmpfsMount& tmpfs) {
  return std::ranges::contains(tmpfs.options, "dev") ||
         std::ranges::contains(tmpfs.options, "suid");
}

std::string describe(const engine::TmpfsMount& tmpfs) {
  return "--tmpfs " + tmpfs.destination + ":" + join(tmpfs.options, ",");
}

void add_capabilities(const ContainerConfig& config, std::vector<std::string>& demands) {
  for (const std::string& name : config.add_capabilities) {
    if (name == "ALL" || name == "all") return void(demands.emplace_back("--cap-add ALL"));
  }
  const auto& usual = oci::default_capabilities();
  for (const std::string& name : engine::effective_capabilities(config)) {
    if (!std::ranges::contains(usual, name)) demands.push_back("--cap-add " + name);
  }
}

// The store's own container of this id: what it has it may have again.
std::optional<ContainerConfig> known_container(store::Store& store, const std::string& id) {
  for (const store::ContainerRecord& record : store.containers()) {
    if (record.id == id) return engine::parse_container_config(record.config_json);
  }
  return std::nullopt;
}

void take_binds(ContainerConfig& asked, const ContainerConfig& granted) {
  for (const engine::BindMount& bind : granted.binds) {
    const auto place =
        std::ranges::find(asked.binds, bind.destination, &engine::BindMount::destination);
    if (place != asked.binds.end()) *place = bind;
  }
}

void refuse_needless(const std::vector<std::string>& granted, const std::set<std::string>& asked) {
  for (const std::string& flag : granted) {
    if (asked.contains(flag)) continue;
    throw Error(ErrorKind::kUsage, "the archive does not ask for " + printable(flag),
                "leave that out: a restored container has the settings that it was made with");
  }
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
  add(config.network == "host", "--network host");
  add(config.runtime != "crun" && config.runtime != "runc", "--runtime " + config.runtime);
  add(!config.cgroups, "--cgroups disabled");
  add(config.cgroup_parent != usual.cgroup_parent, "--cgroup-parent " + config.cgroup_parent);
  return demands;
}

std::vector<std::string> demands_of(const criu::ImagePrivileges& images,
                                    const ContainerConfig& config) {
  return images.beyond({.capabilities = engine::effective_capabilities(config),
                        .seccomp = engine::security_of(config).seccomp,
                        .host_network = config.network == "host"});
}

ContainerConfig grant(ContainerConfig asked, const criu::ImagePrivileges& images,
                      const std::string& container_id, const Grants& grants, store::Store& store) {
  take_binds(asked, grants.granted);
  const auto demands = demands_of(asked);
  const auto granted = demands_of(grants.granted);
  refuse_needless(granted, {demands.begin(), demands.end()});
  const auto of_images = demands_of(images, asked);  // throws for some whatever is granted
  if (grants.everything) return asked;

  std::set<std::string> allowed(granted.begin(), granted.end());
  if (const auto known = known_container(store, container_id)) {
    for (const std::string& flag : demands_of(*known)) allowed.insert(flag);
  }
  std::vector<std::string> open;
  for (const std::string& flag : demands) {
    if (!allowed.contains(flag)) open.push_back(printable(flag));
  }
  open.insert(open.end(), of_images.begin(), of_images.end());
  if (open.empty()) return asked;
  throw Error(ErrorKind::kUsage,
              "the archive asks for more than a container gets by default: " + join(open, ", "),
              "give the same flags if it shall have that, or --allow-spec for all of it");
}

}  // namespace still::sources
