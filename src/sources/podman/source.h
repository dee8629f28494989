// Podman's containers, of root.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "sources/foreign/held.h"
#include "store/layout.h"
#include "subject/source.h"

namespace still::sources {

struct PodmanSettings {
  std::string root, runroot;  // its --root and --runroot; empty: its default
};

// Whether Podman has been called since the machine was booted: only then it can have containers
// that run, and asking it makes no storage where there was none. With settings that name its
// storage it is.
bool podman_is_at_work(const PodmanSettings& settings);

class PodmanSource final : public subject::Source {
 public:
  // Throws Error(kNotFound) if Podman is not installed.
  PodmanSource(const store::Layout& layout, PodmanSettings settings);
  std::optional<std::string> find(const std::string& reference) override;
  std::vector<subject::Listed> running() override;
  subject::Group hold(const std::string& reference, bool with_sharers) override;

 private:
  std::vector<std::string> arguments(const std::vector<std::string>& command) const;
  // What it says of containers, by their ids; nullopt: it knows one of them no more.
  std::optional<nlohmann::json> inspect(const std::vector<std::string>& ids) const;
  std::optional<Statement> ask_for(const std::string& id) const;
  // Ids of those that run and write to a volume of the inspected container.
  std::vector<std::string> sharers_of(const nlohmann::json& inspected) const;

  const store::Layout& layout_;
  const PodmanSettings settings_;
};

// --- plain computation -------------------------------------------------------------------------

// What `podman container inspect` says of one container; what its database has is left out. Throws
// Error(kUnsupported) for a volume of another driver than "local", nlohmann::json::exception.
Statement read_podman_container(const nlohmann::json& inspected);

}  // namespace still::sources
