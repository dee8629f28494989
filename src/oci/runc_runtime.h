// runc. Internal to criu/.
#pragma once

#include "oci/runtime.h"

namespace still::oci {

class RuncRuntime final : public OciRuntime {
 public:
  RuncRuntime(std::filesystem::path program, std::filesystem::path state_root)
      : OciRuntime(std::move(program), std::move(state_root)) {}
  std::string name() const override { return "runc"; }
  std::vector<std::string> global_arguments() const override;
  using OciRuntime::criu_options;
  std::map<std::string, std::string> criu_options(const CheckpointOptions& options) const override;
};

}  // namespace still::oci
