// Containers as their OCI runtime knows them, whatever engine calls it.
#pragma once

#include <filesystem>
#include <string>

#include "sources/foreign/held.h"
#include "store/layout.h"
#include "subject/source.h"

namespace still::sources {

struct OciSettings {
  std::string runtime = "crun";  // or a path
  std::filesystem::path root;    // its --root; empty: its default for root
};

// The root that the runtime has by default: "/run/crun". Throws as OciRuntime::open().
std::filesystem::path default_runtime_root(const std::string& runtime);

// Nobody says which of its mounts are volumes: none is captured. Containers that share one are
// unknown, too.
class OciSource final : public subject::Source {
 public:
  OciSource(const store::Layout& layout, OciSettings settings);
  std::optional<std::string> find(const std::string& reference) override;
  std::vector<subject::Listed> running() override;
  subject::Group hold(const std::string& reference, bool with_sharers) override;

 private:
  std::optional<Statement> ask_for(const std::string& id) const;

  const store::Layout& layout_;
  OciSettings settings_;
};

}  // namespace still::sources
