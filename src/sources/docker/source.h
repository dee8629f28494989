// Docker's containers.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "sources/foreign/inspecting.h"

namespace still::sources {

// Whether there is an engine here that can be asked: one on another machine has no container that
// is here.
bool docker_is_at_work();

class DockerSource final : public InspectingSource {
 public:
  // Throws Error(kNotFound) if Docker is not installed, Error(kUnsupported) if its client is told
  // of an engine on another machine (DOCKER_HOST, a context).
  explicit DockerSource(const store::Layout& layout);
  std::vector<subject::Listed> running() override;

 protected:
  Statement read(const nlohmann::json& inspected) const override;
  Statement complete(const nlohmann::json& inspected) const override;
};

// --- plain computation -------------------------------------------------------------------------

// What `docker container inspect` says of one container; its runtime is the name that Docker has
// for it. Throws Error(kUnsupported) for a volume of another driver than "local",
// nlohmann::json::exception.
Statement read_docker_container(const nlohmann::json& inspected);

}  // namespace still::sources
