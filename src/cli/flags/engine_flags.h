// The flags that say whose containers a command is about.
#pragma once

#include <optional>
#include <string>

#include "cli/app.h"
#include "sources/engines.h"

namespace still::cli {

// As typed.
struct EngineFlags {
  std::string engine = "auto";
  std::optional<std::string> podman_root;
  std::optional<std::string> podman_runroot;
  std::optional<std::string> name_space;
  std::optional<std::string> runtime;
  std::optional<std::string> runtime_root;

  // Throws Error(kUsage) for a flag that the engine does not mind.
  sources::EngineSettings settings() const;
};

// --engine, and what some engines have to be told. every: the word for all of them.
void add_engine_flags(CLI::App& command, EngineFlags& flags, const std::string& description,
                      const std::string& every);

}  // namespace still::cli
