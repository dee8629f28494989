#include "sources/containerd/source.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "oci/runtime.h"
#include "os/files.h"
#include "os/process.h"
#include "sources/foreign/ask.h"
#include "sources/foreign/shim.h"

namespace still::sources {
namespace {

using nlohmann::json;

constexpr const char* kContainerd = "containerd";
constexpr const char* kClient = "ctr";
constexpr const char* kSocket = "/run/containerd/containerd.sock";
constexpr const char* kOfDocker = "moby";
// Where it keeps what runs.
const std::filesystem::path kState = "/run/containerd";

struct Place {
  std::string name_space, id;
};
// Of NAMESPACE/ID.
Place split_reference(const std::string& reference) {
  const size_t slash = reference.find('/');
  return {reference.substr(0, slash), reference.substr(slash + 1)};
}

// A blob of its content store; null for one that it has not.
json blob(const std::string& name_space, const std::string& digest) {
  const CommandResult result = ask(kClient, {"-n", name_space, "content", "get", digest});
  return result.status.ok() ? read_answer(kContainerd, result) : json();
}

// The manifest itself, or of an index that of this machine's platform: others it has not fetched.
json manifest_of(const std::string& name_space, const std::string& digest) {
  json found = blob(name_space, digest);
  if (!found.is_object() || !found.contains("manifests")) return found;
  for (const json& one : found.at("manifests")) {
    if (one.value("/platform/os"_json_pointer, "") != "linux") continue;
    json manifest = blob(name_space, one.at("digest"));
    if (manifest.is_object()) return manifest;
  }
  return {};
}

// The digest of the image's configuration, by which other engines know it; empty: it is gone.
std::string image_id_of(const std::string& name_space, const std::string& name) {
  if (name.empty()) return {};
  for (const std::string& line :
       ask_lines(kClient, {"-n", name_space, "images", "list", "name==" + name})) {
    auto columns = split(line, ' ');  // REF TYPE DIGEST ...
    std::erase(columns, "");
    if (columns.size() < 3 || columns[0] != name) continue;
    const json manifest = manifest_of(name_space, columns[2]);
    return manifest.is_object() ? manifest.value("/config/digest"_json_pointer, "") : "";
  }
  return {};
}

}  // namespace

bool containerd_is_at_work() { return find_program(kClient) && path_exists(kSocket); }

Statement read_containerd_container(const json& info) {
  const std::string id = info.at("ID");
  const json labels = info.value("Labels", json());
  const auto label = [&](const char* key) {
    return labels.is_object() ? labels.value(key, "") : std::string();
  };
  const std::string pod = label("io.kubernetes.pod.name");
  const std::string name = label("io.kubernetes.container.name");
  Statement statement{.engine = kContainerd,
                      .id = id,
                      .name = name.empty() ? id : formatted("{}-{}", pod, name),
                      .image = info.value("Image", ""),
                      .created = info.value("CreatedAt", ""),
                      .own_checkpoint = "ctr containers checkpoint " + id};
  return statement;
}

ContainerdSource::ContainerdSource(const store::Layout& layout, ContainerdSettings settings)
    : layout_(layout), settings_(std::move(settings)) {
  require_program(kClient);
}

std::vector<std::string> ContainerdSource::name_spaces() const {
  if (!settings_.name_space.empty()) return {settings_.name_space};
  auto names = ask_lines(kClient, {"namespaces", "list", "--quiet"});
  std::erase(names, kOfDocker);
  return names;
}

std::optional<std::string> ContainerdSource::find(const std::string& reference) try {
  std::vector<std::string> found;
  for (const std::string& name_space : name_spaces()) {
    const std::string own = name_space + "/";
    for (const std::string& id :
         ask_lines(kClient, {"-n", name_space, "containers", "list", "--quiet"})) {
      if (own + id == reference) return reference;
      const bool is_prefix = !reference.empty() && id.starts_with(reference);
      if (is_prefix ||
          read_containerd_container(ask_json(kClient, {"-n", name_space, "containers", "info", id}))
                  .name == reference) {
        if (id == reference && !settings_.name_space.empty()) return own + id;
        found.push_back(own + id);
      }
    }
  }
  const auto exact = [&](const std::string& one) { return split_reference(one).id == reference; };
  if (std::ranges::count_if(found, exact) == 1) return *std::ranges::find_if(found, exact);
  if (found.size() <= 1) return found.empty() ? std::nullopt : std::optional(found.front());
  throw Error(ErrorKind::kUsage,
              formatted("\"{}\" is several containers of containerd's: {}", printable(reference),
                        join(found, ", ")),
              "name one of these, or its namespace (--namespace)");
} catch (const json::exception& error) {
  throw not_understood(kContainerd, error);
}

std::vector<subject::Listed> ContainerdSource::running() {
  std::vector<subject::Listed> list;
  for (const std::string& name_space : name_spaces()) {
    for (const std::string& id :
         ask_lines(kClient, {"-n", name_space, "containers", "list", "--quiet"})) {
      const auto statement = ask_for(name_space, id);
      if (!statement || !is_running(*statement)) continue;
      list.push_back({.engine = kContainerd,
                      .id = name_space + "/" + id,
                      .name = statement->name,
                      .image = statement->image,
                      .command = {},
                      .status = statement->status});
    }
  }
  return list;
}

std::optional<Statement> ContainerdSource::ask_for(const std::string& name_space,
                                                   const std::string& id) const try {
  const CommandResult result = ask(kClient, {"-n", name_space, "containers", "info", id});
  if (!result.status.ok()) {
    if (result.errors.contains("not found")) return std::nullopt;
    throw refusal(kContainerd, result);
  }
  Statement statement = read_containerd_container(read_answer(kContainerd, result));
  statement.status = "stopped";
  read_shim(statement, kState, name_space);
  if (statement.bundle.empty()) return statement;
  const auto runtime = oci::OciRuntime::open(statement.runtime, statement.runtime_root, false);
  statement.image_id = image_id_of(name_space, statement.image);
  if (const auto state = runtime->state(id)) {
    statement.status = state->status;
    statement.pid = state->pid;
    statement.since = std::to_string(process_start_time(state->pid).value_or(0));
  }
  return statement;
} catch (const json::exception& error) {
  throw not_understood(kContainerd, error);
}

subject::Group ContainerdSource::hold(const std::string& reference, bool /*with_sharers*/) {
  const Place place = split_reference(reference);
  return hold_group(layout_, place.id, {}, [&](const std::string& id) -> ForeignHeld::Ask {
    return [this, id, name_space = place.name_space] { return ask_for(name_space, id); };
  });
}

}  // namespace still::sources
