// A directory of Still's own for one container of another engine, for as long as it is held: there
// lies what CRIU is told, and a copy of what the OCI runtime knows of the container. The runtime is
// called with that copy, so nothing of the engine's is written to: runc leaves a file in its state
// at every checkpoint. And what the bundle's spec does not say can be said there: where runc finds
// Still's configuration for CRIU (oci::kCriuConfigurationAnnotation).
#pragma once

#include <filesystem>
#include <string>

#include "os/temp_dir.h"

namespace still::sources {

class Room {
 public:
  // Makes the directory, anew if there is one that a killed process has left; its parent is there.
  // runtime: "crun" or "runc"; state: the directory that it has for the container `id`. Throws
  // Error(kNotFound) if the runtime knows no such container, Error(kCorrupt) if its state cannot be
  // read, Error(kSystem).
  Room(const std::filesystem::path& directory, const std::string& runtime,
       const std::filesystem::path& state, const std::string& id);
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  ~Room() = default;

  const std::filesystem::path& directory() const { return directory_.path(); }
  // The runtime's --root.
  std::filesystem::path state_root() const { return directory() / "state"; }
  std::filesystem::path criu_configuration() const { return directory() / "criu-options.conf"; }
  // Empty for a runtime that is told by its environment alone.
  const std::filesystem::path& criu_overrides() const { return criu_overrides_; }

 private:
  TempDir directory_;
  std::filesystem::path criu_overrides_;
};

// runc's state.json, with that annotation among its labels. Throws Error(kCorrupt).
std::string with_criu_configuration(const std::string& state_json,
                                    const std::filesystem::path& file);

}  // namespace still::sources
