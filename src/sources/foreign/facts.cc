#include "sources/foreign/facts.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"

namespace still::sources {
namespace {

using nlohmann::json;

Error not_plain(const std::string& what) {
  return {ErrorKind::kUnsupported, "the root file system of the container is " + what,
          "Still captures the upper layer of a plain overlay (overlayfs)"};
}

const MountEntry& root_mount(const std::vector<MountEntry>& mounts) {
  const auto last = std::ranges::find_last(mounts, std::filesystem::path("/"), &MountEntry::target);
  if (last.empty()) throw not_plain("not to be found in its mounts");
  return *last.begin();
}

// The value of an option; nullopt without it.
std::optional<std::string> option(const MountEntry& mount, std::string_view name) {
  for (const std::string& text : mount.super_options) {
    if (text.starts_with(name) && text.substr(name.size()).starts_with('=')) {
      return text.substr(name.size() + 1);
    }
  }
  return std::nullopt;
}

std::filesystem::path absolute_layer(const std::string& name) {
  const std::filesystem::path path = name;
  // An empty name separates layers that have only data of files.
  if (path.is_absolute()) return path;
  throw not_plain("an overlay with a layer that the kernel names \"" + printable(name) + "\"");
}

// An annotation by one of the names that engines have for it; empty: none.
template <size_t N>
std::string annotation(const json& spec, const std::array<const char*, N>& names) {
  const json annotations = spec.value("annotations", json::object());
  for (const char* name : names) {
    if (annotations.contains(name)) return annotations.at(name);
  }
  return {};
}

constexpr std::array kImageAnnotations = {"io.kubernetes.cri-o.ImageName",
                                          "io.kubernetes.cri.image-name"};
constexpr std::array kNameAnnotations = {"io.kubernetes.cri-o.Name",
                                         "io.kubernetes.cri.container-name"};

}  // namespace

void require_plain_overlay(const std::vector<MountEntry>& mounts) {
  const MountEntry& root = root_mount(mounts);
  if (root.type != "overlay") throw not_plain("no overlay but " + printable(root.type));
  for (const char* name : {"metacopy", "redirect_dir"}) {
    if (option(root, name) == "on") {
      throw not_plain(
          formatted("an overlay with {}=on, whose upper layer means nothing without "
                    "the lower ones",
                    name));
    }
  }
  if (!option(root, "upperdir")) throw not_plain("an overlay without an upper layer");
}

Layers layers_of(const std::vector<MountEntry>& mounts) {
  require_plain_overlay(mounts);
  const MountEntry& root = root_mount(mounts);
  Layers layers{.upper = absolute_layer(option(root, "upperdir").value_or("")), .lower = {}};
  for (const std::string& text : root.super_options) {
    for (const std::string_view name : {"lowerdir=", "lowerdir+="}) {
      if (!text.starts_with(name)) continue;
      for (const std::string& layer : split(text.substr(name.size()), ':')) {
        layers.lower.push_back(absolute_layer(layer));
      }
    }
  }
  return layers;
}

std::string own_cgroup(const std::string& init_cgroup, const std::string& id) {
  const size_t found = init_cgroup.rfind(id);
  if (id.empty() || found == std::string::npos) return init_cgroup;
  return init_cgroup.substr(0, init_cgroup.find('/', found));
}

bool has_loopback_alone(std::string_view devices) {
  const auto is_other = [](const std::string& line) {
    const size_t colon = line.find(':');  // the two lines of headers have none
    return colon != std::string::npos && trim(line.substr(0, colon)) != "lo";
  };
  return std::ranges::none_of(split(devices, '\n'), is_other);
}

SpecFacts read_spec(std::string_view config_json) try {
  const json spec = json::parse(config_json);
  SpecFacts facts{.has_terminal = spec.value("/process/terminal"_json_pointer, false),
                  .has_host_network = true,
                  .mounts = {},
                  .image = annotation(spec, kImageAnnotations),
                  .name = annotation(spec, kNameAnnotations)};
  for (const json& one : spec.value("/linux/namespaces"_json_pointer, json::array())) {
    const std::string type = one.at("type");
    if (type == "network") {
      facts.has_host_network = false;
      facts.has_joined_network = !one.value("path", "").empty();
    }
    if (type == "user") facts.has_user_namespace = true;
    if (type == "pid") facts.has_pid_namespace = one.value("path", "").empty();
  }
  const auto bounding =
      spec.value("/process/capabilities/bounding"_json_pointer, std::vector<std::string>{});
  facts.may_change_network = std::ranges::contains(bounding, "CAP_NET_ADMIN");
  for (const json& mount : spec.value("mounts", json::array())) {
    facts.mounts.push_back({.destination = mount.at("destination"),
                            .type = mount.value("type", ""),
                            .source = mount.value("source", ""),
                            .options = mount.value("options", std::vector<std::string>{})});
  }
  return facts;
} catch (const json::exception& error) {
  throw Error(ErrorKind::kCorrupt,
              std::string("the container's config.json is damaged: ") + printable(error.what()));
}

bool is_bind(const oci::SpecMount& mount) {
  const auto has = [&](const char* option) { return std::ranges::contains(mount.options, option); };
  return mount.type == "bind" || has("bind") || has("rbind");
}

}  // namespace still::sources
