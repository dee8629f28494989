// All engines whose containers can be checkpointed, and whose a name is.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "journal/host.h"
#include "sources/containerd/source.h"
#include "sources/oci/source.h"
#include "sources/podman/source.h"
#include "subject/source.h"

namespace still::sources {

struct EngineSettings {
  // "still", "podman", ...; "auto": all that are at work here. An OCI runtime is asked only by its
  // name, "oci": what it runs is mostly an engine's.
  std::string engine = "auto";
  PodmanSettings podman;
  ContainerdSettings containerd;
  OciSettings oci;
};

class Engines {
 public:
  // Throws Error(kUsage) for an engine that Still does not know, Error(kNotFound) for one that was
  // named and is not installed.
  Engines(const journal::Host& host, const EngineSettings& settings);

  struct Found {
    subject::Source* source;  // of this object
    std::string engine;
    std::string id;
  };
  // reference: as Source::find(). Throws Error(kNotFound) if no engine knows it, Error(kUsage) if
  // several do, naming them. Of several engines one that does not answer is a warning.
  Found find(const std::string& reference);
  // A container of Still's own, by its id. Throws Error(kInternal) where Still's are not meant.
  Found own(const std::string& id) const;
  // Of all of them, those that run or are paused; the same of one that does not answer.
  std::vector<subject::Listed> running();

 private:
  struct Engine {
    std::string name;
    std::unique_ptr<subject::Source> source;
  };

  void add(const std::string& name, const EngineSettings& settings);

  const journal::Host& host_;
  std::vector<Engine> engines_;
};

// Their names for --engine, "auto" and "all" aside.
std::vector<std::string> engine_names();

}  // namespace still::sources
