#include "engine/image/image_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "engine/container/mounts.h"
#include "engine/container/signals.h"

namespace still::engine {
namespace {

using Json = nlohmann::json;

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::kCorrupt, "the image configuration is damaged: " + what);
}

// Keys may be missing or null: both mean that the image says nothing.
const Json* find(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string read_text(const Json& object, const char* key) {
  const Json* value = find(object, key);
  if (value == nullptr) return {};
  if (!value->is_string()) refuse(std::string("\"") + key + "\" should be a text");
  return value->get<std::string>();
}

std::vector<std::string> read_list(const Json& object, const char* key) {
  const Json* value = find(object, key);
  if (value == nullptr) return {};
  const bool valid = value->is_array() &&
                     std::ranges::all_of(*value, [](const Json& item) { return item.is_string(); });
  if (!valid) refuse(std::string("\"") + key + "\" should be a list of texts");
  return value->get<std::vector<std::string>>();
}

// Sets are objects with empty values.
std::vector<std::string> read_keys(const Json& object, const char* key) {
  const Json* value = find(object, key);
  if (value == nullptr) return {};
  if (!value->is_object()) refuse(std::string("\"") + key + "\" should be an object");
  std::vector<std::string> keys;
  for (const auto& [name, item] : value->items()) keys.push_back(name);
  return keys;
}

std::map<std::string, std::string> read_map(const Json& object, const char* key) {
  std::map<std::string, std::string> result;
  for (const std::string& name : read_keys(object, key)) {
    result[name] = read_text(object.at(key), name.c_str());
  }
  return result;
}

std::string name_of(const std::string& assignment) {
  return assignment.substr(0, assignment.find('='));
}

// The image's variables in their order, those of the command line in place of those with the same
// name or after them.
std::vector<std::string> merge_environment(std::vector<std::string> environment,
                                           const std::vector<std::string>& given) {
  for (const std::string& assignment : given) {
    const auto known = std::ranges::find(environment, name_of(assignment), name_of);
    if (known != environment.end()) {
      *known = assignment;
    } else {
      environment.push_back(assignment);
    }
  }
  return environment;
}

std::vector<std::string> merge_arguments(const ImageConfig& image, const ImageOverrides& given) {
  std::vector<std::string> arguments = given.entrypoint.value_or(image.entrypoint);
  if (arguments == std::vector<std::string>{""}) arguments.clear();
  const auto& command = given.command.empty() && !given.entrypoint ? image.command : given.command;
  arguments.insert(arguments.end(), command.begin(), command.end());
  return arguments;
}

bool mounts_on(const ContainerConfig& config, const std::string& destination) {
  return std::ranges::contains(config.volumes, destination, &VolumeMount::destination) ||
         std::ranges::contains(config.binds, destination, &BindMount::destination) ||
         std::ranges::contains(config.tmpfs, destination, &TmpfsMount::destination);
}

Json as_set(const std::vector<std::string>& names) {
  Json set = Json::object();
  for (const std::string& name : names) set[name] = Json::object();
  return set;
}

}  // namespace

ImageConfig parse_image_config(std::string_view text) {
  const Json document = Json::parse(text, nullptr, false);
  if (!document.is_object()) refuse("it is no JSON object");
  const Json* config = find(document, "config");
  if (config == nullptr) return {};
  if (!config->is_object()) refuse("\"config\" should be an object");
  return {.entrypoint = read_list(*config, "Entrypoint"),
          .command = read_list(*config, "Cmd"),
          .environment = read_list(*config, "Env"),
          .directory = read_text(*config, "WorkingDir"),
          .user = read_text(*config, "User"),
          .stop_signal = read_text(*config, "StopSignal"),
          .volumes = read_keys(*config, "Volumes"),
          .exposed_ports = read_keys(*config, "ExposedPorts"),
          .labels = read_map(*config, "Labels")};
}

void apply_image_defaults(ContainerConfig& config, const ImageConfig& image,
                          const ImageOverrides& given) {
  config.arguments = merge_arguments(image, given);
  if (config.arguments.empty()) {
    throw Error(ErrorKind::kUsage, "no command to run: neither given nor in the image",
                "write the command after the image");
  }
  config.environment = merge_environment(image.environment, given.environment);
  config.directory = given.directory.value_or(image.directory);
  if (config.directory.empty()) config.directory = "/";
  config.user = given.user.value_or(image.user);
  if (given.stop_signal) {
    config.stop_signal = *given.stop_signal;
  } else if (!image.stop_signal.empty()) {
    config.stop_signal = parse_signal(image.stop_signal);
  }
  config.labels.insert(image.labels.begin(), image.labels.end());
  for (const std::string& volume : image.volumes) {
    const std::string destination = canonical_destination(volume);
    if (!mounts_on(config, destination)) {
      config.volumes.push_back({.volume = "", .destination = destination});
    }
  }
}

std::string build_image_config(const ImageConfig& image, const std::vector<std::string>& layers,
                               const std::string& created) {
  Json config = Json::object();
  if (!image.entrypoint.empty()) config["Entrypoint"] = image.entrypoint;
  if (!image.command.empty()) config["Cmd"] = image.command;
  if (!image.environment.empty()) config["Env"] = image.environment;
  if (!image.directory.empty()) config["WorkingDir"] = image.directory;
  if (!image.user.empty()) config["User"] = image.user;
  if (!image.stop_signal.empty()) config["StopSignal"] = image.stop_signal;
  if (!image.volumes.empty()) config["Volumes"] = as_set(image.volumes);
  if (!image.exposed_ports.empty()) config["ExposedPorts"] = as_set(image.exposed_ports);
  if (!image.labels.empty()) config["Labels"] = image.labels;
  Json diff_ids = Json::array();
  for (const std::string& layer : layers) diff_ids.push_back("sha256:" + layer);
  const Json document = {{"created", created},
                         {"architecture", oci_architecture()},
                         {"os", "linux"},
                         {"config", config},
                         {"rootfs", {{"type", "layers"}, {"diff_ids", diff_ids}}}};
  // What the user typed may be any bytes; JSON may not.
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace still::engine
