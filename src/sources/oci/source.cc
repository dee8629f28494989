#include "sources/oci/source.h"

#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "oci/runtime.h"
#include "os/files.h"
#include "os/process.h"
#include "sources/foreign/facts.h"

namespace still::sources {
namespace {

std::unique_ptr<oci::OciRuntime> open(const OciSettings& settings) {
  return oci::OciRuntime::open(settings.runtime, settings.root, false);
}

// A name of a directory, and nothing that leads elsewhere.
bool is_id(const std::string& text) {
  return !text.empty() && !text.starts_with('.') && !text.contains('/');
}

}  // namespace

std::filesystem::path default_runtime_root(const std::string& runtime) {
  return std::filesystem::path("/run") / oci::OciRuntime::open(runtime, "", false)->name();
}

OciSource::OciSource(const store::Layout& layout, OciSettings settings)
    : layout_(layout), settings_(std::move(settings)) {
  if (settings_.root.empty()) settings_.root = default_runtime_root(settings_.runtime);
}

std::optional<Statement> OciSource::ask_for(const std::string& id) const {
  const auto runtime = open(settings_);
  const auto state = is_id(id) ? runtime->state(id) : std::nullopt;
  if (!state) return std::nullopt;
  const auto config = read_file_if_exists(state->bundle / "config.json");
  if (!config) {
    throw Error(ErrorKind::kNotFound,
                "the bundle of container " + printable(id) +
                    " is gone: " + printable(state->bundle.native()),
                "restart the container");
  }
  const SpecFacts spec = read_spec(*config);
  return Statement{.engine = "oci",
                   .id = id,
                   .name = spec.name.empty() ? id : spec.name,
                   .image = spec.image,
                   .status = state->status,
                   .since = std::to_string(process_start_time(state->pid).value_or(0)),
                   .pid = state->pid,
                   .runtime = runtime->program(),
                   .runtime_root = settings_.root,
                   .bundle = state->bundle,
                   .layers = std::nullopt,
                   .volumes = {},
                   .own_checkpoint = runtime->name() + " checkpoint " + id};
}

std::optional<std::string> OciSource::find(const std::string& reference) {
  if (!is_id(reference) || !open(settings_)->state(reference)) return std::nullopt;
  return reference;
}

std::vector<subject::Listed> OciSource::running() {
  std::vector<subject::Listed> list;
  if (!path_exists(settings_.root)) return list;
  for (const auto& entry : std::filesystem::directory_iterator(settings_.root)) {
    const auto statement = ask_for(entry.path().filename());
    if (!statement || !is_running(*statement)) continue;
    list.push_back({.engine = statement->engine,
                    .id = statement->id,
                    .name = statement->name,
                    .image = statement->image,
                    .command = {},
                    .status = statement->status});
  }
  return list;
}

subject::Group OciSource::hold(const std::string& reference, bool /*with_sharers*/) {
  if (!find(reference)) {
    throw Error(ErrorKind::kNotFound,
                settings_.runtime + " knows no container " + printable(reference) + " below " +
                    printable(settings_.root.native()),
                "name the directory that has its state (--runtime-root)");
  }
  return hold_group(layout_, reference, {}, [this](const std::string& id) -> ForeignHeld::Ask {
    return [this, id] { return ask_for(id); };
  });
}

}  // namespace still::sources
