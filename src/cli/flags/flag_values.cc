#include "cli/flags/flag_values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "engine/container/mounts.h"
#include "os/files.h"

namespace still::cli {
namespace {

Error bad_value(const std::string& flag, const std::string& value, const std::string& hint) {
  return Error(ErrorKind::kUsage, flag + ": invalid value \"" + printable(value) + "\"", hint);
}

Error unsupported_value(const std::string& flag, const std::string& value,
                        const std::string& hint) {
  return Error(ErrorKind::kUnsupported, flag + "=" + printable(value) + " is not supported", hint);
}

void check_destination(const std::string& flag, const std::string& value,
                       const std::string& destination) {
  const std::filesystem::path path(destination);
  if (!path.is_absolute() || path.lexically_normal() == "/") {
    throw bad_value(flag, value, "the path in the container must be absolute and not /");
  }
}

// --- volumes ---

struct MountOptions {
  bool read_only = false;
  bool recursive = true;
};

MountOptions parse_mount_options(const std::string& text) {
  MountOptions options;
  for (const std::string& option : split(text, ',')) {
    if (option == "ro" || option == "rw") {
      options.read_only = option == "ro";
    } else if (option == "bind" || option == "rbind") {
      options.recursive = option == "rbind";
    } else if (option != "z" && option != "Z") {
      throw Error(ErrorKind::kUnsupported,
                  "option \"" + printable(option) + "\" of --volume is not supported",
                  "use ro, rw, bind, rbind, z or Z");
    }
  }
  return options;
}

bool is_path(const std::string& source) {
  return source.starts_with('/') || source.starts_with('.');
}

engine::BindMount bind_mount(const std::string& source, const std::string& destination,
                             const MountOptions& options) {
  const auto path = std::filesystem::absolute(source).lexically_normal();
  if (!path_exists(path)) {
    throw Error(ErrorKind::kNotFound, "--volume: " + printable(path.string()) + " does not exist",
                "make it first, or name a volume (without a slash)");
  }
  return {path.string(), destination, options.read_only, options.recursive};
}

// --- limits ---

constexpr std::array<std::string_view, 16> kLimits = {
    "as",   "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue",
    "nice", "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack"};

std::string limit_name(const std::string& name) {
  std::string upper = "RLIMIT_" + name;
  std::ranges::transform(upper, upper.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return upper;
}

std::optional<uint64_t> parse_limit(const std::string& text) {
  const auto number = parse_integer(text);
  if (!number || *number < -1) return std::nullopt;
  return *number == -1 ? std::numeric_limits<uint64_t>::max() : static_cast<uint64_t>(*number);
}

}  // namespace

std::variant<engine::VolumeMount, engine::BindMount> parse_volume(const std::string& value) {
  const auto parts = split(value, ':');
  const bool anonymous = parts.size() == 1;
  if (parts.size() > 3 || value.empty() || std::ranges::contains(parts, "")) {
    throw bad_value("--volume", value, "should be [NAME-OR-HOST-PATH:]CONTAINER-PATH[:OPTIONS]");
  }
  check_destination("--volume", value, anonymous ? parts[0] : parts[1]);
  const std::string destination = engine::canonical_destination(anonymous ? parts[0] : parts[1]);
  const auto options = parts.size() == 3 ? parse_mount_options(parts[2]) : MountOptions{};
  if (anonymous) return engine::VolumeMount{"", destination, false};
  if (is_path(parts[0])) return bind_mount(parts[0], destination, options);
  return engine::VolumeMount{parts[0], destination, options.read_only};
}

engine::TmpfsMount parse_tmpfs(const std::string& value) {
  const size_t colon = value.find(':');
  check_destination("--tmpfs", value, value.substr(0, colon));
  const std::string destination = engine::canonical_destination(value.substr(0, colon));
  if (colon == std::string::npos) return {destination, {}};
  return {destination, split(value.substr(colon + 1), ',')};
}

std::pair<std::string, std::pair<uint64_t, uint64_t>> parse_ulimit(const std::string& value) {
  const std::string form = "should be NAME=SOFT[:HARD], for example nofile=1024:2048";
  const size_t equals = value.find('=');
  if (equals == std::string::npos) throw bad_value("--ulimit", value, form);
  const std::string name = value.substr(0, equals);
  if (!std::ranges::contains(kLimits, name)) {
    throw bad_value("--ulimit", value, "limits are " + join({kLimits.begin(), kLimits.end()}, " "));
  }
  const auto numbers = split(value.substr(equals + 1), ':');
  const auto soft = parse_limit(numbers.front());
  const auto hard = parse_limit(numbers.back());
  if (numbers.size() > 2 || !soft || !hard || *soft > *hard) {
    throw bad_value("--ulimit", value, form);
  }
  return {limit_name(name), {*soft, *hard}};
}

std::pair<std::string, std::string> parse_label(const std::string& value) {
  const size_t equals = value.find('=');
  if (equals == 0 || value.empty()) throw bad_value("--label", value, "should be KEY=VALUE");
  if (equals == std::string::npos) return {value, ""};
  return {value.substr(0, equals), value.substr(equals + 1)};
}

std::optional<std::string> parse_environment(const std::string& value) {
  const size_t equals = value.find('=');
  if (equals == 0 || value.empty()) throw bad_value("--env", value, "should be NAME=VALUE or NAME");
  if (equals != std::string::npos) return value;
  const char* own = std::getenv(value.c_str());
  if (own == nullptr) return std::nullopt;
  return value + "=" + own;
}

std::vector<std::string> read_environment_file(const std::string& path) {
  std::vector<std::string> result;
  for (const std::string& line : split(read_file(path), '\n')) {
    if (trim(line).empty() || line.starts_with('#')) continue;
    if (auto variable = parse_environment(line)) result.push_back(std::move(*variable));
  }
  return result;
}

std::vector<std::string> parse_entrypoint(const std::string& value) {
  if (value.empty()) return {};
  const auto list = nlohmann::json::parse(value, nullptr, false);
  if (!list.is_array()) return {value};
  std::vector<std::string> words;
  for (const auto& word : list) {
    if (!word.is_string()) throw bad_value("--entrypoint", value, "the list must hold strings");
    words.push_back(word.get<std::string>());
  }
  return words;
}

std::string parse_network(const std::string& value) {
  if (value == "none" || value == "host") return value;
  if (value == "bridge")
    throw Error(ErrorKind::kUnsupported, "--network=bridge is not supported yet",
                "use none or host");
  throw unsupported_value("--network", value, "use none or host");
}

std::string parse_log_driver(const std::string& value) {
  if (value == "k8s-file" || value == "json-file") return "k8s-file";
  if (value == "none") return value;
  throw unsupported_value("--log-driver", value, "use k8s-file or none");
}

bool parse_cgroups(const std::string& value) {
  if (value == "enabled" || value == "disabled") return value == "enabled";
  throw unsupported_value("--cgroups", value, "use enabled or disabled");
}

std::optional<std::string> parse_security_option(const std::string& value) {
  if (value == "no-new-privileges" || value == "no-new-privileges:true" ||
      value == "no-new-privileges=true") {
    return "no-new-privileges";
  }
  if (value == "seccomp=unconfined") return value;
  // Without SELinux and AppArmor there is nothing that these could switch off.
  if (value == "label=disable" || value == "apparmor=unconfined") return std::nullopt;
  throw unsupported_value("--security-opt", value, "use no-new-privileges or seccomp=unconfined");
}

std::optional<int64_t> parse_pids_limit(const std::string& value) {
  const auto limit = parse_integer(value);
  if (!limit || *limit < -1) throw bad_value("--pids-limit", value, "should be a number");
  if (*limit <= 0) return std::nullopt;
  return limit;
}

std::optional<double> parse_cpus(const std::string& value) {
  double cpus = 0;
  const char* const end = value.data() + value.size();
  const auto [stop, problem] = std::from_chars(value.data(), end, cpus, std::chars_format::fixed);
  if (problem != std::errc{} || stop != end || !(cpus >= 0)) {
    throw bad_value("--cpus", value, "should be a number like 1.5");
  }
  if (cpus == 0) return std::nullopt;
  return cpus;
}

int parse_seconds(const std::string& value, const std::string& flag) {
  const auto seconds = parse_integer(value);
  if (!seconds || *seconds < 0 || *seconds > std::numeric_limits<int>::max()) {
    throw bad_value(flag, value, "should be a number of seconds");
  }
  return static_cast<int>(*seconds);
}

}  // namespace still::cli
