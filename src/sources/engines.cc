#include "sources/engines.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "base/text.h"
#include "sources/docker/source.h"
#include "sources/still/source.h"

namespace still::sources {
namespace {

// What an engine is opened by, and whether it is at work here, so that its containers are looked
// for where no engine was named.
struct Row {
  const char* name;
  std::unique_ptr<subject::Source> (*open)(const journal::Host&, const EngineSettings&);
  bool (*is_at_work)(const EngineSettings&);
};

constexpr std::array kTable = std::to_array<Row>({
    {"still",
     [](const journal::Host& host, const EngineSettings&) -> std::unique_ptr<subject::Source> {
       return std::make_unique<StillSource>(host);
     },
     [](const EngineSettings&) { return true; }},
    {"podman",
     [](const journal::Host& host,
        const EngineSettings& settings) -> std::unique_ptr<subject::Source> {
       return std::make_unique<PodmanSource>(host.layout, settings.podman);
     },
     [](const EngineSettings& settings) { return podman_is_at_work(settings.podman); }},
    {"docker",
     [](const journal::Host& host, const EngineSettings&) -> std::unique_ptr<subject::Source> {
       return std::make_unique<DockerSource>(host.layout);
     },
     [](const EngineSettings&) { return docker_is_at_work(); }},
    {"containerd",
     [](const journal::Host& host,
        const EngineSettings& settings) -> std::unique_ptr<subject::Source> {
       return std::make_unique<ContainerdSource>(host.layout, settings.containerd);
     },
     [](const EngineSettings&) { return containerd_is_at_work(); }},
    {"oci",
     [](const journal::Host& host,
        const EngineSettings& settings) -> std::unique_ptr<subject::Source> {
       return std::make_unique<OciSource>(host.layout, settings.oci);
     },
     [](const EngineSettings&) { return false; }},
});

}  // namespace

std::vector<std::string> engine_names() {
  std::vector<std::string> names;
  for (const Row& row : kTable) names.emplace_back(row.name);
  return names;
}

Engines::Engines(const journal::Host& host, const EngineSettings& settings) : host_(host) {
  for (const Row& row : kTable) {
    const bool is_wanted =
        settings.engine == "auto" ? row.is_at_work(settings) : settings.engine == row.name;
    if (is_wanted) engines_.push_back({row.name, row.open(host, settings)});
  }
  if (!engines_.empty()) return;
  throw Error(ErrorKind::kUsage, "Still knows no engine \"" + printable(settings.engine) + "\"",
              "engines are auto, " + join(engine_names(), ", "));
}

Engines::Found Engines::find(const std::string& reference) {
  std::vector<Found> found;
  std::vector<std::string> asked;
  for (const Engine& engine : engines_) {
    asked.push_back(engine.name);
    try {
      if (const auto id = engine.source->find(reference)) {
        found.push_back({engine.source.get(), engine.name, *id});
      }
    } catch (const Error& error) {
      if (engines_.size() == 1 || error.kind() != ErrorKind::kRuntime) throw;
      warn(error.message());
    }
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    throw Error(
        ErrorKind::kNotFound,
        formatted("no such container: \"{}\" (asked: {})", printable(reference), join(asked, ", ")),
        "\"still ps --engine all\" lists those that run; what other users run without "
        "root only they can see");
  }
  std::vector<std::string> owners;
  for (const Found& one : found) {
    owners.push_back(formatted("{} ({})", one.engine, one.id.substr(0, 12)));
  }
  throw Error(ErrorKind::kUsage,
              formatted("\"{}\" is a container of several engines: {}", printable(reference),
                        join(owners, ", ")),
              "say which one is meant (--engine), or give its id");
}

Engines::Found Engines::own(const std::string& id) const {
  const auto still = std::ranges::find(engines_, "still", &Engine::name);
  if (still == engines_.end())
    throw Error(ErrorKind::kInternal, "Still's engine was not asked for");
  return {still->source.get(), still->name, id};
}

std::vector<subject::Listed> Engines::running() {
  std::vector<subject::Listed> list;
  for (const Engine& engine : engines_) {
    try {
      std::ranges::move(engine.source->running(), std::back_inserter(list));
    } catch (const Error& error) {
      if (engines_.size() == 1 || error.kind() != ErrorKind::kRuntime) throw;
      warn(error.message());
    }
  }
  return list;
}

}  // namespace still::sources
