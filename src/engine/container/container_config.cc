#include "engine/container/container_config.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "base/error.h"

namespace still::engine {
namespace {

using Json = nlohmann::json;

// Each type names its keys once; writing and reading both follow these lists.
template <typename Visitor>
void visit_fields(Visitor&& visit, auto& mount)
  requires std::is_same_v<std::remove_const_t<std::remove_reference_t<decltype(mount)>>,
                          VolumeMount>
{
  visit("volume", mount.volume);
  visit("destination", mount.destination);
  visit("readOnly", mount.read_only);
  visit("place", mount.place);
}

template <typename Visitor>
void visit_fields(Visitor&& visit, auto& mount)
  requires std::is_same_v<std::remove_const_t<std::remove_reference_t<decltype(mount)>>, BindMount>
{
  visit("source", mount.source);
  visit("destination", mount.destination);
  visit("readOnly", mount.read_only);
  visit("recursive", mount.recursive);
  visit("place", mount.place);
  visit("resolvedSource", mount.resolved_source);
}

template <typename Visitor>
void visit_fields(Visitor&& visit, auto& mount)
  requires std::is_same_v<std::remove_const_t<std::remove_reference_t<decltype(mount)>>, TmpfsMount>
{
  visit("destination", mount.destination);
  visit("options", mount.options);
  visit("place", mount.place);
}

template <typename Visitor>
void visit_fields(Visitor&& visit, auto& config)
  requires std::is_same_v<std::remove_const_t<std::remove_reference_t<decltype(config)>>,
                          ContainerConfig>
{
  visit("image", config.image);
  visit("imageId", config.image_id);
  visit("rootfs", config.rootfs);
  visit("arguments", config.arguments);
  visit("environment", config.environment);
  visit("directory", config.directory);
  visit("user", config.user);
  visit("hostname", config.hostname);
  visit("terminal", config.terminal);
  visit("openStdin", config.open_stdin);
  visit("init", config.init);
  visit("readOnly", config.read_only);
  visit("removeWhenDone", config.remove_when_done);
  visit("fromPodman", config.from_podman);
  visit("fromOtherEngine", config.from_other_engine);
  visit("volumes", config.volumes);
  visit("binds", config.binds);
  visit("tmpfs", config.tmpfs);
  visit("shmSizeBytes", config.shm_size_bytes);
  visit("network", config.network);
  visit("runtime", config.runtime);
  visit("cgroups", config.cgroups);
  visit("cgroupParent", config.cgroup_parent);
  visit("cgroup", config.cgroup);
  visit("logDriver", config.log_driver);
  visit("addCapabilities", config.add_capabilities);
  visit("dropCapabilities", config.drop_capabilities);
  visit("securityOptions", config.security_options);
  visit("rlimits", config.rlimits);
  visit("memoryLimitBytes", config.memory_limit_bytes);
  visit("pidsLimit", config.pids_limit);
  visit("cpus", config.cpus);
  visit("labels", config.labels);
  visit("stopSignal", config.stop_signal);
  visit("stopTimeoutSeconds", config.stop_timeout_seconds);
}

template <typename T>
concept HasFields = requires(T& value) { visit_fields([](const char*, auto&) {}, value); };

template <typename T>
Json write_value(const std::optional<T>& value);
template <typename T>
  requires HasFields<const T>
Json write_value(const std::vector<T>& values);

template <typename T>
Json write_value(const T& value) {
  if constexpr (HasFields<const T>) {
    Json object = Json::object();
    visit_fields([&](const char* key, const auto& field) { object[key] = write_value(field); },
                 value);
    return object;
  } else {
    return value;
  }
}

template <typename T>
Json write_value(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

template <typename T>
  requires HasFields<const T>
Json write_value(const std::vector<T>& values) {
  Json array = Json::array();
  for (const T& value : values) array.push_back(write_value(value));
  return array;
}

[[noreturn]] void refuse(const std::string& key, const std::string& expected) {
  throw Error(ErrorKind::kCorrupt,
              "the container configuration is damaged: \"" + key + "\" should be " + expected);
}

void read_value(const std::string& key, const Json& json, std::string& value) {
  if (!json.is_string()) refuse(key, "a text");
  value = json.get<std::string>();
  // What becomes an argument of execve or mount ends at a NUL: something else than what was read.
  if (value.contains('\0')) refuse(key, "a text without NUL");
}

void read_value(const std::string& key, const Json& json, bool& value) {
  if (!json.is_boolean()) refuse(key, "true or false");
  value = json.get<bool>();
}

void read_value(const std::string& key, const Json& json, double& value) {
  if (!json.is_number()) refuse(key, "a number");
  value = json.get<double>();
}

template <std::integral T>
void read_value(const std::string& key, const Json& json, T& value) {
  // A conversion would wrap around in silence.
  const bool fits = json.is_number_unsigned()
                        ? std::in_range<T>(json.get<uint64_t>())
                        : json.is_number_integer() && std::in_range<T>(json.get<int64_t>());
  if (!fits) {
    refuse(key, "a whole number from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
                    std::to_string(std::numeric_limits<T>::max()));
  }
  value = json.get<T>();
}

void read_value(const std::string& key, const Json& json, std::pair<uint64_t, uint64_t>& value) {
  if (!json.is_array() || json.size() != 2) refuse(key, "a pair");
  read_value(key, json[0], value.first);
  read_value(key, json[1], value.second);
}

template <typename T>
void read_value(const std::string& key, const Json& json, std::optional<T>& value);
template <typename T>
void read_value(const std::string& key, const Json& json, std::vector<T>& values);
template <typename T>
void read_value(const std::string& key, const Json& json, std::map<std::string, T>& values);

template <HasFields T>
void read_value(const std::string& key, const Json& json, T& value) {
  if (!json.is_object()) refuse(key, "an object");
  visit_fields(
      [&](const char* name, auto& field) {
        // A key that is not there was not known when this was written; the default is its meaning.
        const auto found = json.find(name);
        if (found != json.end()) read_value(name, *found, field);
      },
      value);
}

template <typename T>
void read_value(const std::string& key, const Json& json, std::optional<T>& value) {
  if (json.is_null()) return value.reset();
  read_value(key, json, value.emplace());
}

template <typename T>
void read_value(const std::string& key, const Json& json, std::vector<T>& values) {
  if (!json.is_array()) refuse(key, "a list");
  values.clear();
  for (const Json& item : json) read_value(key, item, values.emplace_back());
}

template <typename T>
void read_value(const std::string& key, const Json& json, std::map<std::string, T>& values) {
  if (!json.is_object()) refuse(key, "an object");
  values.clear();
  for (const auto& [name, item] : json.items()) read_value(key, item, values[name]);
}

}  // namespace

std::string to_json(const ContainerConfig& config) { return write_value(config).dump(); }

ContainerConfig parse_container_config(std::string_view json) {
  const Json parsed = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) {
    throw Error(ErrorKind::kCorrupt, "the container configuration is no JSON object");
  }
  ContainerConfig config;
  read_value("configuration", parsed, config);
  return config;
}

}  // namespace still::engine
