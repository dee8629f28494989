#include "oci/criu_preload.h"

#include <cstdlib>

#include "oci/installation.h"

namespace still::oci {

std::string criu_preload() {
  const std::string library = find_installed("libstill_criu_preload.so");
  const char* present = ::getenv("LD_PRELOAD");
  return library.empty() || present == nullptr ? library : library + ":" + present;
}

void load_criu_preload(Command& command) {
  const std::string preload = criu_preload();
  if (!preload.empty()) command.environment["LD_PRELOAD"] = preload;
}

}  // namespace still::oci
