#include "cli/flags/filters.h"

#include <algorithm>
#include <array>
#include <regex>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace still::cli {
namespace {

using Condition = bool (*)(const ContainerView&, const std::string&);
using Conditions = std::map<std::string, std::vector<std::string>>;

// As Podman: the value is a regular expression that may match anywhere.
bool matches(const std::string& text, const std::string& expression) try {
  return std::regex_search(text, std::regex(expression, std::regex::extended));
} catch (const std::regex_error&) {
  throw Error(ErrorKind::kUsage, "\"" + printable(expression) + "\" is no regular expression");
}

bool mounts_volume(const engine::ContainerConfig& config, const std::string& name) {
  return std::ranges::any_of(config.volumes, [&name](const engine::VolumeMount& mount) {
    return mount.volume == name || mount.destination == name;
  });
}

bool binds_path(const engine::ContainerConfig& config, const std::string& path) {
  return std::ranges::any_of(config.binds, [&path](const engine::BindMount& mount) {
    return mount.source == path || mount.destination == path;
  });
}

const std::map<std::string, Condition>& conditions() {
  static const std::map<std::string, Condition> table = {
      {"id", [](const auto& c, const auto& v) { return matches(c.record.id, "^" + v); }},
      {"name", [](const auto& c, const auto& v) { return matches(c.record.name, v); }},
      {"status", [](const auto& c, const auto& v) { return to_string(c.record.status) == v; }},
      {"label", [](const auto& c, const auto& v) { return has_label(c.config.labels, v); }},
      {"volume",
       [](const auto& c, const auto& v) {
         return mounts_volume(c.config, v) || binds_path(c.config, v);
       }},
      {"ancestor",
       [](const auto& c, const auto& v) {
         return c.image_name == v || c.config.image == v || c.record.image_id == v;
       }},
      {"exited",
       [](const auto& c, const auto& v) {
         return c.record.status == store::ContainerStatus::kExited &&
                std::to_string(c.record.exit_code) == v;
       }},
  };
  return table;
}

void check_states(const std::vector<std::string>& states) {
  constexpr std::array<std::string_view, 4> kKnown = {"created", "running", "paused", "exited"};
  for (const std::string& state : states) {
    if (std::ranges::contains(kKnown, state)) continue;
    throw Error(ErrorKind::kUsage, "unknown container state \"" + printable(state) + "\"",
                "states are created, running, paused, exited");
  }
}

bool fits(const ContainerView& container, const std::string& key,
          const std::vector<std::string>& values) {
  const auto holds = [&](const std::string& value) {
    return conditions().at(key)(container, value);
  };
  return key == "label" ? std::ranges::all_of(values, holds) : std::ranges::any_of(values, holds);
}

}  // namespace

Conditions parse_filters(const std::vector<std::string>& filters,
                         const std::vector<std::string>& known_keys) {
  Conditions result;
  for (const std::string& filter : filters) {
    const size_t equals = filter.find('=');
    const std::string key = filter.substr(0, equals);
    if (!std::ranges::contains(known_keys, key) || equals == std::string::npos) {
      throw Error(ErrorKind::kUsage, "\"" + printable(filter) + "\" is an invalid filter",
                  "filters are KEY=VALUE with " + join(known_keys, ", "));
    }
    result[key].push_back(filter.substr(equals + 1));
  }
  return result;
}

bool has_label(const std::map<std::string, std::string>& labels, const std::string& condition) {
  const size_t equals = condition.find('=');
  const auto found = labels.find(condition.substr(0, equals));
  if (found == labels.end()) return false;
  return equals == std::string::npos || found->second == condition.substr(equals + 1);
}

std::function<bool(const ContainerView&)> container_filter(
    const std::vector<std::string>& filters) {
  std::vector<std::string> keys;
  for (const auto& [key, condition] : conditions()) keys.push_back(key);
  Conditions wanted = parse_filters(filters, keys);
  if (wanted.contains("status")) check_states(wanted["status"]);
  return [wanted = std::move(wanted)](const ContainerView& container) {
    return std::ranges::all_of(wanted, [&container](const auto& filter) {
      return fits(container, filter.first, filter.second);
    });
  };
}

}  // namespace still::cli
