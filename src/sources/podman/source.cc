#include "sources/podman/source.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "os/files.h"
#include "sources/foreign/ask.h"
#include "sources/foreign/inspected.h"
#include "sources/oci/source.h"
#include "sources/podman/database.h"

namespace still::sources {
namespace {

using nlohmann::json;

constexpr const char* kPodman = "podman";

// GRAPHROOT of GRAPHROOT/overlay-containers/ID/userdata.
std::filesystem::path graph_root(const json& inspected) {
  const std::filesystem::path directory = inspected.at("StaticDir").get<std::string>();
  return directory.parent_path().parent_path().parent_path();
}

}  // namespace

bool podman_is_at_work(const PodmanSettings& settings) {
  if (!settings.root.empty()) return true;
  return find_program(kPodman) && path_exists("/run/libpod/alive");
}

Statement read_podman_container(const json& inspected) {
  const std::string id = inspected.at("Id");
  const std::string name = inspected.at("Name");
  const json& state = inspected.at("State");
  const std::filesystem::path config = inspected.at("OCIConfigPath").get<std::string>();
  return {.engine = kPodman,
          .id = id,
          .name = name,
          .image = inspected.value("ImageName", ""),
          .status = state.at("Status"),
          .since = state.at("StartedAt"),
          .pid = state.at("Pid"),
          .runtime = inspected.at("OCIRuntime"),
          .runtime_root = {},
          .bundle = config.parent_path(),
          .layers = layers_in(inspected),
          .volumes = volumes_in(inspected, name),
          .log = inspected.value("/HostConfig/LogConfig/Path"_json_pointer, ""),
          .own_checkpoint = "podman container checkpoint " + name};
}

PodmanSource::PodmanSource(const store::Layout& layout, PodmanSettings settings)
    : InspectingSource(layout, kPodman, {"no such container", "no container with"}),
      settings_(std::move(settings)) {}

std::vector<std::string> PodmanSource::arguments(const std::vector<std::string>& command) const {
  std::vector<std::string> words;
  if (!settings_.root.empty()) words.push_back("--root=" + settings_.root);
  if (!settings_.runroot.empty()) words.push_back("--runroot=" + settings_.runroot);
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

std::vector<subject::Listed> PodmanSource::running() try {
  std::vector<subject::Listed> list;
  for (const json& one :
       ask_json(kPodman, arguments({"ps", "--format=json", "--no-trunc", "--filter=status=running",
                                    "--filter=status=paused"}))) {
    if (one.value("IsInfra", false)) continue;  // it does nothing
    list.push_back({.engine = kPodman,
                    .id = one.at("Id"),
                    .name = one.at("Names").at(0),
                    .image = one.value("Image", ""),
                    .command = join(one.value("Command", std::vector<std::string>{}), " "),
                    .status = one.at("State")});
  }
  return list;
} catch (const json::exception& error) {
  throw not_understood(kPodman, error);
}

Statement PodmanSource::read(const json& inspected) const {
  return read_podman_container(inspected);
}

Statement PodmanSource::complete(const json& inspected) const {
  Statement statement = read(inspected);
  statement.runtime_root = default_runtime_root(statement.runtime);
  const PodmanRecord record = read_podman_record(graph_root(inspected), statement.id);
  statement.config_dump = record.config;
  statement.network_status = record.network_status;
  return statement;
}

}  // namespace still::sources
