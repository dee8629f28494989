#include "oci/criu_preload.h"

#include <cstdlib>
#include <filesystem>

#include "os/files.h"

namespace still::oci {
namespace {

constexpr const char* kLibrary = "libstill_criu_preload.so";

}  // namespace

std::string criu_preload() {
  const auto directory = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  for (const auto& place : {directory, directory.parent_path() / "lib/still"}) {
    if (!path_exists(place / kLibrary)) continue;
    const char* present = ::getenv("LD_PRELOAD");
    const std::string ours = place / kLibrary;
    return present == nullptr ? ours : ours + ":" + present;
  }
  return {};
}

}  // namespace still::oci
