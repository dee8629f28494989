#include "journal/old_entries.h"

#include <ranges>

#include "journal/typed_step.h"

namespace still::journal {
namespace {

using Json = nlohmann::json;

std::string text(const Json& json, const char* key) { return json.value(key, ""); }

std::vector<Json> list(const Json& json, const char* key) {
  return json.value(key, Json::array()).get<std::vector<Json>>();
}

Step step(const char* kind, const Json& data = Json::object()) {
  return {.kind = kind, .data = data.dump(), .container_id = {}};
}

Step frozen(Json cgroup) {
  const std::string id = text(cgroup, "container_id");
  cgroup.erase("container_id");
  return {.kind = "freezer", .data = cgroup.dump(), .container_id = id};
}

// Of a restore: what it made goes, unless it worked on a container that was there before.
void add_restored(Entry& entry, const Json& json) {
  if (json.value("in_own_files", false)) {
    return entry.add(step("own files", {{"may_have_run", json.value("may_have_run", false)}}));
  }
  if (!json.value("brings_back", false)) return entry.add(step("made by restore"));
  for (const Json& directory : list(json, "set_aside") | std::views::reverse) {
    entry.add(step("set aside", {{"directory", directory}}));
  }
  entry.add(step("set back"));
}

void add_steps(Entry& entry, const Json& json) {
  for (const Json& path : list(json, "paths") | std::views::reverse) {
    entry.add(step("path", {{"path", path}}));
  }
  if (entry.operation == "restore") add_restored(entry, json);
  if (const auto lent = text(json, "lent_cgroup"); !lent.empty()) {
    entry.add(step("lent cgroup", {{"directory", lent}, {"home", text(json, "lent_from")}}));
  }
  if (const auto images = text(json, "fork_images"); !images.empty()) {
    entry.add(step("copies", {{"images", images}}));
  }
  for (const Json& cgroup : list(json, "cgroups") | std::views::reverse) entry.add(frozen(cgroup));
  if (const auto images = text(json, "images"); !images.empty()) {
    entry.add(step("default checkpoint", {{"images", images}}));
  }
}

ProcessIdentity find_init(const Json& json, const std::string& container_id,
                          const std::vector<store::ContainerRecord>& containers) {
  ProcessIdentity init{.pid = json.value("init", 0)};
  for (const store::ContainerRecord& container : containers) {
    if (container.id == container_id && container.pid == init.pid) {
      init.start_time = container.pid_start_time;
    }
  }
  return init;
}

}  // namespace

bool is_old_entry(const Json& json) { return !json.contains("steps"); }

Entry convert_old_entry(const Json& json, const std::vector<store::ContainerRecord>& containers) {
  Entry entry{.key = text(json, "key"),
              .operation = text(json, "operation"),
              .container_id = text(json, "container_id"),
              .container_name = text(json, "container_name"),
              .boot_id = text(json, "boot_id"),
              .owner = json.value("owner", ProcessIdentity{}),
              .guardian = json.value("guardian", ProcessIdentity{}),
              .runtime = json.value("runtime", ProcessIdentity{}),
              .init = {},
              .steps = {}};
  entry.init = find_init(json, entry.container_id, containers);
  add_steps(entry, json);
  return entry;
}

}  // namespace still::journal
