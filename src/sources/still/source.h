// Still's own containers as subjects of checkpoints.
#pragma once

#include "engine/container/container.h"
#include "journal/host.h"
#include "subject/source.h"

namespace still::sources {

class StillSource : public subject::Source {
 public:
  explicit StillSource(const journal::Host& host) : host_(host) {}
  std::optional<std::string> find(const std::string& reference) override;
  std::vector<subject::Listed> running() override;
  subject::Group hold(const std::string& reference, bool with_sharers) override;

 private:
  const journal::Host& host_;
};

// As a checkpoint knows the container.
subject::Subject describe(const engine::Container& container, const store::Layout& layout);

}  // namespace still::sources
