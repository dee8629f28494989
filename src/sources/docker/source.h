// Docker's containers.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "sources/foreign/held.h"
#include "store/layout.h"
#include "subject/source.h"

namespace still::sources {

// Whether there is an engine here that can be asked: one on another machine has no container that
// is here.
bool docker_is_at_work();

class DockerSource final : public subject::Source {
 public:
  // Throws Error(kNotFound) if Docker is not installed, Error(kUnsupported) if its client is told
  // of an engine on another machine (DOCKER_HOST, a context).
  explicit DockerSource(const store::Layout& layout);
  std::optional<std::string> find(const std::string& reference) override;
  std::vector<subject::Listed> running() override;
  subject::Group hold(const std::string& reference, bool with_sharers) override;

 private:
  std::optional<nlohmann::json> inspect(const std::vector<std::string>& ids) const;
  std::optional<Statement> ask_for(const std::string& id) const;
  // Ids of those that run and write to a volume of the inspected container.
  std::vector<std::string> sharers_of(const nlohmann::json& inspected) const;

  const store::Layout& layout_;
};

// --- plain computation
// ---------------------------------------------------------------------------

// What `docker container inspect` says of one container; its runtime is the name that Docker has
// for it. Throws Error(kUnsupported) for a volume of another driver than "local",
// nlohmann::json::exception.
Statement read_docker_container(const nlohmann::json& inspected);

}  // namespace still::sources
