// Podman's containers, of root.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "sources/foreign/inspecting.h"

namespace still::sources {

struct PodmanSettings {
  std::string root, runroot;  // its --root and --runroot; empty: its default
};

// Whether Podman has been called since the machine was booted: only then it can have containers
// that run, and asking it makes no storage where there was none. With settings that name its
// storage it is.
bool podman_is_at_work(const PodmanSettings& settings);

class PodmanSource final : public InspectingSource {
 public:
  // Throws Error(kNotFound) if Podman is not installed.
  PodmanSource(const store::Layout& layout, PodmanSettings settings);
  std::vector<subject::Listed> running() override;

 protected:
  std::vector<std::string> arguments(const std::vector<std::string>& command) const override;
  Statement read(const nlohmann::json& inspected) const override;
  Statement complete(const nlohmann::json& inspected) const override;

 private:
  const PodmanSettings settings_;
};

// --- plain computation -------------------------------------------------------------------------

// What `podman container inspect` says of one container; what its database has is left out. Throws
// Error(kUnsupported) for a volume of another driver than "local", nlohmann::json::exception.
Statement read_podman_container(const nlohmann::json& inspected);

}  // namespace still::sources
