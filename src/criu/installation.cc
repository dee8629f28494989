#include "criu/installation.h"

#include "os/files.h"

namespace still::criu {

std::filesystem::path find_installed(const std::string& name) {
  const auto directory = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  for (const auto& place : {directory, directory.parent_path() / "lib/still"}) {
    if (path_exists(place / name)) return place / name;
  }
  return {};
}

}  // namespace still::criu
