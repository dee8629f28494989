// The objects that `still inspect` prints for images and volumes.
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/commands/inspect.h"
#include "os/clock.h"

namespace still::cli {
namespace {

Json parse_config(const store::ImageRecord& image) {
  Json config = Json::parse(image.config_json, nullptr, false);
  if (config.is_object()) return config;
  throw Error(ErrorKind::kCorrupt, "image " + image.id + " has a damaged configuration",
              "remove it and load it again");
}

Json layers_of(const store::ImageRecord& image) {
  Json layers = Json::array();
  for (const std::string& layer : image.layers) layers.push_back("sha256:" + layer);
  return layers;
}

}  // namespace

Json inspect_image(const store::ImageRecord& image) {
  const Json whole = parse_config(image);
  const Json config = whole.value("config", Json::object());
  Json json;
  json["Id"] = image.id;
  json["RepoTags"] = image.names;
  json["Parent"] = "";
  json["Comment"] = "";
  json["Created"] = rfc3339(image.created_at);
  json["Config"] = config;
  json["Author"] = whole.value("author", "");
  json["Architecture"] = whole.value("architecture", "");
  json["Os"] = whole.value("os", "");
  json["Size"] = image.size_bytes;
  json["VirtualSize"] = image.size_bytes;
  json["RootFS"] = {{"Type", "layers"}, {"Layers", layers_of(image)}};
  json["Labels"] = config.value("Labels", Json());
  json["User"] = config.value("User", "");
  json["History"] = whole.value("history", Json::array());
  json["NamesHistory"] = image.names;
  return json;
}

Json inspect_volume(const store::Layout& layout, const store::VolumeRecord& volume) {
  Json labels = Json::object();
  for (const auto& [key, value] : volume.labels) labels[key] = value;
  Json json;
  json["Name"] = volume.name;
  json["Driver"] = "local";
  json["Mountpoint"] = layout.volume_data(volume.name).string();
  json["CreatedAt"] = rfc3339(volume.created_at);
  json["Labels"] = std::move(labels);
  json["Scope"] = "local";
  json["Options"] = Json::object();
  json["Anonymous"] = volume.anonymous;
  return json;
}

Json inspect_subject(const subject::Held& container) {
  const subject::Subject& subject = container.subject();
  Json json;
  json["Id"] = subject.id;
  json["Name"] = subject.name;
  json["Engine"] = subject.engine;
  json["ImageName"] = subject.image;
  json["OCIRuntime"] = subject.runtime;
  json["State"] = {{"Running", container.is_running()},
                   {"Pid", subject.init.pid},
                   {"CgroupPath", subject.cgroup}};
  json["LowerDirs"] = Json::array();
  for (const auto& layer : subject.lower_layers) json["LowerDirs"].push_back(layer.native());
  json["Trees"] = Json::array();
  for (const subject::Tree& tree : subject.trees) {
    json["Trees"].push_back({{"Name", name_of(tree)}, {"Source", tree.source.native()}});
  }
  json["Binds"] = Json::array();
  for (const subject::BindMount& bind : subject.binds) {
    json["Binds"].push_back({{"Source", bind.source.native()}, {"Destination", bind.place}});
  }
  json["LogPath"] = subject.log.native();
  return json;
}

}  // namespace still::cli
