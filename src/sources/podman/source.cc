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

Error not_understood(const json::exception& error) {
  return {ErrorKind::kRuntime,
          std::string("podman's answer is not understood: ") + printable(error.what())};
}

// Podman's own message for a name that it does not know.
bool knows_no_such(const CommandResult& result) {
  return result.errors.contains("no such container") || result.errors.contains("no container with");
}

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
    : layout_(layout), settings_(std::move(settings)) {
  require_program(kPodman);
}

std::vector<std::string> PodmanSource::arguments(const std::vector<std::string>& command) const {
  std::vector<std::string> words;
  if (!settings_.root.empty()) words.push_back("--root=" + settings_.root);
  if (!settings_.runroot.empty()) words.push_back("--runroot=" + settings_.runroot);
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

std::optional<json> PodmanSource::inspect(const std::vector<std::string>& ids) const {
  std::vector<std::string> command = {"container", "inspect"};
  command.insert(command.end(), ids.begin(), ids.end());
  const CommandResult result = ask(kPodman, arguments(command));
  if (result.status.ok()) return read_answer(kPodman, result);
  if (knows_no_such(result)) return std::nullopt;
  throw refusal(kPodman, result);
}

std::optional<std::string> PodmanSource::find(const std::string& reference) try {
  const auto found = inspect({reference});
  if (!found) return std::nullopt;
  return found->at(0).at("Id").get<std::string>();
} catch (const json::exception& error) {
  throw not_understood(error);
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
  throw not_understood(error);
}

std::optional<Statement> PodmanSource::ask_for(const std::string& id) const try {
  const auto found = inspect({id});
  if (!found) return std::nullopt;
  const json& inspected = found->at(0);
  Statement statement = read_podman_container(inspected);
  statement.runtime_root = default_runtime_root(statement.runtime);
  const PodmanRecord record = read_podman_record(graph_root(inspected), id);
  statement.config_dump = record.config;
  statement.network_status = record.network_status;
  return statement;
} catch (const json::exception& error) {
  throw not_understood(error);
}

std::vector<std::string> PodmanSource::sharers_of(const json& inspected) const {
  const auto volumes = read_podman_container(inspected).volumes;
  if (volumes.empty()) return {};
  const std::string id = inspected.at("Id");
  const CommandResult listed = ask(kPodman, arguments(list_users_of(volumes)));
  if (!listed.status.ok()) throw refusal(kPodman, listed);
  std::vector<std::string> ids;
  for (const std::string& line : split(listed.output, '\n')) {
    if (!line.empty() && line != id) ids.push_back(line);
  }
  if (ids.empty()) return {};
  const auto others = inspect(ids);
  return others ? writers_to(*others, volumes) : std::vector<std::string>{};
}

subject::Group PodmanSource::hold(const std::string& reference, bool with_sharers) try {
  const auto found = inspect({reference});
  if (!found) {
    throw Error(ErrorKind::kNotFound, "podman knows no container " + printable(reference));
  }
  const auto sharers = with_sharers ? sharers_of(found->at(0)) : std::vector<std::string>{};
  return hold_group(layout_, found->at(0).at("Id"), sharers,
                    [this](const std::string& one) -> ForeignHeld::Ask {
                      return [this, one] { return ask_for(one); };
                    });
} catch (const json::exception& error) {
  throw not_understood(error);
}

}  // namespace still::sources
