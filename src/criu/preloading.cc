#include "criu/preloading.h"

#include <cstdlib>

#include "criu/installation.h"

namespace still::criu {

std::string criu_preload() {
  const std::string library = find_installed("libstill_criu_preload.so");
  const char* present = ::getenv("LD_PRELOAD");
  return library.empty() || present == nullptr ? library : library + ":" + present;
}

std::map<std::string, std::string> preload_environment(const PreloadSettings& settings) {
  std::map<std::string, std::string> variables;
  const std::string preload = criu_preload();
  if (!preload.empty()) variables["LD_PRELOAD"] = preload;
  if (settings.clean_memory) variables[kCleanMemoryVariable] = kCleanKnowledge;
  if (settings.no_pages) {
    variables[kNoPagesVariable] = "1";
    variables[kSharedMemoryVariable] = settings.work / kSharedMemoryFile;
  }
  if (settings.no_conntrack) variables[kNoConntrackVariable] = "1";
  if (!settings.gate.empty()) variables[kGateVariable] = settings.gate;
  if (!settings.work.empty()) variables[kDispatchingVariable] = settings.work / kDispatchingFile;
  if (settings.no_deleted_files) variables[kDeletedVariable] = settings.work / kDeletedFile;
  if (!settings.root.empty()) variables[kRootVariable] = settings.root;
  if (!settings.layer.empty()) variables[kLayerVariable] = settings.layer;
  return variables;
}

}  // namespace still::criu
