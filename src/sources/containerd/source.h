// Containers of containerd's own, those of Kubernetes among them.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "sources/foreign/held.h"
#include "store/layout.h"
#include "subject/source.h"

namespace still::sources {

struct ContainerdSettings {
  std::string name_space;  // "k8s.io"; empty: all but Docker's
};

// Whether containerd can be asked here.
bool containerd_is_at_work();

// Ids are unique in a namespace alone: here they are NAMESPACE/ID. containerd names no volumes:
// none is captured.
class ContainerdSource final : public subject::Source {
 public:
  // Throws Error(kNotFound) if ctr, containerd's client, is not installed.
  ContainerdSource(const store::Layout& layout, ContainerdSettings settings);
  std::optional<std::string> find(const std::string& reference) override;
  std::vector<subject::Listed> running() override;
  subject::Group hold(const std::string& reference, bool with_sharers) override;

 private:
  std::vector<std::string> name_spaces() const;
  std::optional<Statement> ask_for(const std::string& name_space, const std::string& id) const;

  const store::Layout& layout_;
  const ContainerdSettings settings_;
};

// What `ctr container info` says of one container, without what the runtime says. Throws
// nlohmann::json::exception. Plain computation.
Statement read_containerd_container(const nlohmann::json& info);

}  // namespace still::sources
