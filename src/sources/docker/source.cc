#include "sources/docker/source.h"

#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "os/files.h"
#include "sources/foreign/ask.h"
#include "sources/foreign/inspected.h"
#include "sources/foreign/shim.h"

namespace still::sources {
namespace {

using nlohmann::json;

constexpr const char* kDocker = "docker";
// Where containerd keeps what runs, the machine's and one that Docker has started, and the
// namespace of Docker's.
constexpr std::array kStates = {"/run/containerd", "/run/docker/containerd/daemon"};
constexpr const char* kNamespace = "moby";

Error not_understood(const json::exception& error) {
  return {ErrorKind::kRuntime,
          std::string("docker's answer is not understood: ") + printable(error.what())};
}

// Of the engine that its client would ask.
std::string address() {
  const CommandResult result =
      ask(kDocker, {"context", "inspect", "--format={{.Endpoints.docker.Host}}"});
  if (!result.status.ok()) throw refusal(kDocker, result);
  return std::string(trim(result.output));
}

bool is_here(const std::string& address) { return address.starts_with("unix://"); }

bool knows_no_such(const CommandResult& result) {
  return result.errors.contains("o such container") || result.errors.contains("o such object");
}

}  // namespace

bool docker_is_at_work() {
  const bool may_be = path_exists("/run/docker.sock") || ::getenv("DOCKER_HOST") != nullptr;
  return may_be && find_program(kDocker) && is_here(address());
}

Statement read_docker_container(const json& inspected) {
  const std::string id = inspected.at("Id");
  std::string name = inspected.at("Name");
  if (name.starts_with('/')) name.erase(0, 1);
  const json& state = inspected.at("State");
  Statement statement{
      .engine = kDocker,
      .id = id,
      .name = name,
      .image = inspected.value("/Config/Image"_json_pointer, ""),
      .image_id = inspected.value("Image", ""),
      .created = inspected.value("Created", ""),
      .status = state.at("Status"),
      .since = state.at("StartedAt"),
      .pid = state.at("Pid"),
      .runtime = inspected.value("/HostConfig/Runtime"_json_pointer, "runc"),
      .runtime_root = {},
      .bundle = {},
      .layers = layers_in(inspected),
      .volumes = volumes_in(inspected, name),
      .log = inspected.value("LogPath", ""),
      .own_checkpoint = "docker checkpoint create " + name + " CHECKPOINT",
  };
  statement.config_dump = write_config_dump(statement);
  return statement;
}

DockerSource::DockerSource(const store::Layout& layout) : layout_(layout) {
  require_program(kDocker);
  const std::string host = address();
  if (is_here(host)) return;
  throw Error(ErrorKind::kUnsupported, "docker's engine is not on this machine: " + printable(host),
              "call still where the container runs");
}

std::optional<json> DockerSource::inspect(const std::vector<std::string>& ids) const {
  std::vector<std::string> arguments = {"container", "inspect"};
  arguments.insert(arguments.end(), ids.begin(), ids.end());
  const CommandResult result = ask(kDocker, arguments);
  if (result.status.ok()) return read_answer(kDocker, result);
  if (knows_no_such(result)) return std::nullopt;
  throw refusal(kDocker, result);
}

std::optional<std::string> DockerSource::find(const std::string& reference) try {
  const auto found = inspect({reference});
  if (!found) return std::nullopt;
  return found->at(0).at("Id").get<std::string>();
} catch (const json::exception& error) {
  throw not_understood(error);
}

std::vector<subject::Listed> DockerSource::running() try {
  std::vector<subject::Listed> list;
  const CommandResult result = ask(kDocker, {"ps", "--no-trunc", "--quiet",
                                             "--filter=status=running", "--filter=status=paused"});
  if (!result.status.ok()) throw refusal(kDocker, result);
  for (const std::string& id : split(result.output, '\n')) {
    const auto found = id.empty() ? std::nullopt : inspect({id});
    if (!found) continue;
    const json& inspected = found->at(0);
    const Statement statement = read_docker_container(inspected);
    std::vector<std::string> command = {inspected.value("Path", "")};
    for (const json& argument : inspected.value("Args", json::array())) command.push_back(argument);
    list.push_back({.engine = kDocker,
                    .id = statement.id,
                    .name = statement.name,
                    .image = statement.image,
                    .command = join(command, " "),
                    .status = statement.status});
  }
  return list;
} catch (const json::exception& error) {
  throw not_understood(error);
}

std::optional<Statement> DockerSource::ask_for(const std::string& id) const try {
  const auto found = inspect({id});
  if (!found) return std::nullopt;
  Statement statement = read_docker_container(found->at(0));
  for (const char* state : kStates) {
    if (statement.bundle.empty()) read_shim(statement, state, kNamespace);
  }
  return statement;
} catch (const json::exception& error) {
  throw not_understood(error);
}

std::vector<std::string> DockerSource::sharers_of(const json& inspected) const {
  const auto volumes = read_docker_container(inspected).volumes;
  if (volumes.empty()) return {};
  const CommandResult listed = ask(kDocker, list_users_of(volumes));
  if (!listed.status.ok()) throw refusal(kDocker, listed);
  const std::string id = inspected.at("Id");
  std::vector<std::string> ids;
  for (const std::string& line : split(listed.output, '\n')) {
    if (!line.empty() && line != id) ids.push_back(line);
  }
  if (ids.empty()) return {};
  const auto others = inspect(ids);
  return others ? writers_to(*others, volumes) : std::vector<std::string>{};
}

subject::Group DockerSource::hold(const std::string& reference, bool with_sharers) try {
  const auto found = inspect({reference});
  if (!found) {
    throw Error(ErrorKind::kNotFound, "docker knows no container " + printable(reference));
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
