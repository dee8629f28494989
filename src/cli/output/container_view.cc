#include "cli/output/container_view.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "base/text.h"
#include "cli/output/human.h"
#include "engine/container/container.h"

namespace still::cli {
namespace {

using engine::ContainerConfig;
using store::ContainerRecord;
using store::ContainerStatus;

constexpr size_t kShortId = 12;
constexpr size_t kShortCommand = 17;

std::string command_text(const ContainerConfig& config, bool full) {
  const std::string text = join(config.arguments, " ");
  if (full || text.size() <= kShortCommand + 3) return text;
  return formatted("{}...", std::string_view(text).substr(0, kShortCommand));
}

Json mount_destinations(const ContainerConfig& config) {
  Json list = Json::array();
  for (const auto& mount : config.tmpfs) list.push_back(mount.destination);
  for (const auto& mount : config.binds) list.push_back(mount.destination);
  for (const auto& mount : config.volumes) list.push_back(mount.destination);
  return list;
}

Json labels_of(const ContainerConfig& config) {
  Json labels = Json::object();
  for (const auto& [key, value] : config.labels) labels[key] = value;
  return labels;
}

Json list_json(const ContainerView& container) {
  const auto& [record, config, image] = container;
  Json json;
  json["AutoRemove"] = config.remove_when_done;
  json["Command"] = config.arguments;
  json["CreatedAt"] = human_age(since(record.created_at)) + " ago";
  json["Exited"] = record.status == ContainerStatus::kExited;
  json["ExitedAt"] = unix_seconds(record.finished_at);
  json["ExitCode"] = record.exit_code;
  json["Id"] = record.id;
  json["Image"] = image;
  json["ImageID"] = record.image_id;
  json["IsInfra"] = false;
  json["Labels"] = config.labels.empty() ? Json() : labels_of(config);
  json["Mounts"] = mount_destinations(config);
  json["Names"] = Json::array({record.name});
  json["Namespaces"] = Json::object();
  json["Networks"] = Json::array();
  json["Pid"] = record.pid;
  json["Pod"] = "";
  json["PodName"] = "";
  json["Ports"] = nullptr;
  json["Restarts"] = 0;
  json["Size"] = nullptr;
  json["StartedAt"] = unix_seconds(record.started_at);
  json["State"] = store::to_string(record.status);
  json["Status"] = status_text(record);
  json["Created"] = unix_seconds(record.created_at);
  return json;
}

// In templates the same names hold what the columns of the table show.
Json list_fields(const ContainerView& container, Json fields, bool full) {
  const auto& [record, config, image] = container;
  fields["ID"] = full ? record.id : record.id.substr(0, kShortId);
  fields["Names"] = record.name;
  fields["Command"] = command_text(config, full);
  fields["Created"] = go_time(record.created_at);
  fields["CreatedAt"] = go_time(record.created_at);
  fields["CreatedHuman"] = human_age(since(record.created_at)) + " ago";
  fields["RunningFor"] = fields["CreatedHuman"];
  fields["Labels"] = labels_of(config);
  fields["Ports"] = "";
  return fields;
}

}  // namespace

ContainerViewer::ContainerViewer(const journal::Host& host)
    : layout_(host.layout), images_(host.store.images()) {}

ContainerView ContainerViewer::view(ContainerRecord record) const {
  record = engine::current(layout_, std::move(record));
  ContainerConfig config = engine::parse_container_config(record.config_json);
  const auto image = std::ranges::find(images_, record.image_id, &store::ImageRecord::id);
  std::string name = image == images_.end() ? config.image : image_name(*image, config.image);
  return {std::move(record), std::move(config), std::move(name)};
}

std::string image_name(const store::ImageRecord& image, const std::string& given) {
  for (const std::string& candidate :
       {given, given + ":latest", "localhost/" + given, "localhost/" + given + ":latest"}) {
    if (std::ranges::contains(image.names, candidate)) return candidate;
  }
  return given;
}

std::string status_text(const ContainerRecord& record) {
  switch (record.status) {
    case ContainerStatus::kRunning:
      return "Up " + human_age(since(record.started_at));
    case ContainerStatus::kExited:
      return formatted("Exited ({}) {} ago", record.exit_code,
                       human_age(since(record.finished_at)));
    case ContainerStatus::kPaused:
      return "Paused";
    case ContainerStatus::kCreated:
      return "Created";
  }
  std::unreachable();
}

ListEntry list_entry(const ContainerView& container, bool full) {
  Json json = list_json(container);
  Json fields = list_fields(container, json, full);
  return {std::move(json), std::move(fields)};
}

}  // namespace still::cli
