// CRIU's action script for a restore (criu/affinity.h). CRIU holds all tasks, and none has run.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "criu/affinity.h"

int main() try {
  const char* step = std::getenv("CRTOOLS_SCRIPT_ACTION");
  const char* images = std::getenv("CRTOOLS_IMAGE_DIR");
  const char* init = std::getenv("CRTOOLS_INIT_PID");
  if (step == nullptr || std::string_view(step) != "pre-resume") return 0;
  const auto pid = still::parse_integer(init != nullptr ? init : "");
  if (images == nullptr || !pid) return 1;
  still::criu::set_affinities(still::criu::stored_affinities(images), static_cast<pid_t>(*pid));
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "still_set_affinity: %s\n", error.what());
  return 1;
}
