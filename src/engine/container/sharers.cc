#include "engine/container/sharers.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/error.h"
#include "engine/container/liveness.h"

namespace still::engine {
namespace {

constexpr int kMostTries = 10;

bool writes_to(const ContainerConfig& config, const std::set<std::string>& volumes) {
  return std::ranges::any_of(config.volumes, [&](const VolumeMount& mount) {
    return !mount.read_only && volumes.contains(mount.volume);
  });
}

// As recorded; looked at again once they are locked.
std::set<std::string> sharers_of(const journal::Host& host, const std::string& id) {
  std::set<std::string> volumes;
  const auto config = parse_container_config(host.store.find_container(id).config_json);
  for (const VolumeMount& mount : config.volumes) volumes.insert(mount.volume);
  std::set<std::string> ids;
  for (const store::ContainerRecord& record : host.store.containers()) {
    if (record.id == id || !is_running(current(host.layout, record))) continue;
    if (writes_to(parse_container_config(record.config_json), volumes)) ids.insert(record.id);
  }
  return ids;
}

// In the order of their ids: whoever locks several does it in this order. Containers that vanish
// meanwhile are left out.
std::map<std::string, Container> open_all(const journal::Host& host, std::set<std::string> ids,
                                          const std::string& required) {
  ids.insert(required);
  std::map<std::string, Container> containers;
  for (const std::string& id : ids) {
    try {
      containers.emplace(id, Container::open(host, id));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kNotFound || id == required) throw;
    }
  }
  return containers;
}

}  // namespace

Sharing open_with_sharers(const journal::Host& host, const std::string& id, bool with_sharers) {
  for (int tries = 1;; ++tries) {
    const auto ids = with_sharers ? sharers_of(host, id) : std::set<std::string>{};
    auto containers = open_all(host, ids, id);
    // One may have started while we waited for the locks. Those of a store that starts them all the
    // time are found out as writers from outside.
    const auto now = with_sharers ? sharers_of(host, id) : std::set<std::string>{};
    if (!std::ranges::includes(ids, now) && tries < kMostTries) continue;
    Sharing sharing{.container = std::move(containers.extract(id).mapped()), .sharers = {}};
    for (auto& [sharer_id, sharer] : containers) {
      if (sharer.running()) sharing.sharers.push_back(std::move(sharer));
    }
    return sharing;
  }
}

}  // namespace still::engine
