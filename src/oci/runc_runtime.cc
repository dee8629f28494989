#include "oci/runc_runtime.h"

namespace still::oci {

std::vector<std::string> RuncRuntime::global_arguments() const {
  return {"--root=" + state_root_.native()};
}

std::map<std::string, std::string> RuncRuntime::criu_options(
    const CheckpointOptions& options) const {
  auto result = OciRuntime::criu_options(options);
  // runc 1.1 refuses the mode as a flag ("Invalid manage cgroups mode") and asks CRIU for "soft",
  // which only the file of the annotation overrides.
  result["manage-cgroups"] = "ignore";
  return result;
}

}  // namespace still::oci
