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

// Of the engine that its client would ask.
std::string address() {
  const CommandResult result =
      ask(kDocker, {"context", "inspect", "--format={{.Endpoints.docker.Host}}"});
  if (!result.status.ok()) throw refusal(kDocker, result);
  return std::string(trim(result.output));
}

bool is_here(const std::string& address) { return address.starts_with("unix://"); }

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
  return {
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
}

DockerSource::DockerSource(const store::Layout& layout)
    : InspectingSource(layout, kDocker, {"o such container", "o such object"}) {
  const std::string host = address();
  if (is_here(host)) return;
  throw Error(ErrorKind::kUnsupported, "docker's engine is not on this machine: " + printable(host),
              "call still where the container runs");
}

std::vector<subject::Listed> DockerSource::running() try {
  std::vector<subject::Listed> list;
  for (const std::string& id : ask_lines(
           kDocker,
           {"ps", "--no-trunc", "--quiet", "--filter=status=running", "--filter=status=paused"})) {
    const auto found = inspect({id});
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
  throw not_understood(kDocker, error);
}

Statement DockerSource::read(const json& inspected) const {
  return read_docker_container(inspected);
}

Statement DockerSource::complete(const json& inspected) const {
  Statement statement = read(inspected);
  for (const char* state : kStates) {
    if (statement.bundle.empty()) read_shim(statement, state, kNamespace);
  }
  return statement;
}

}  // namespace still::sources
