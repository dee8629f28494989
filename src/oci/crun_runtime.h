// crun. Internal to criu/.
#pragma once

#include "oci/runtime.h"

namespace still::oci {

class CrunRuntime final : public OciRuntime {
 public:
  CrunRuntime(std::filesystem::path program, std::filesystem::path state_root, bool no_cgroups)
      : OciRuntime(std::move(program), std::move(state_root)), no_cgroups_(no_cgroups) {}
  std::string name() const override { return "crun"; }
  std::vector<std::string> global_arguments() const override;
  Command checkpoint_command(const std::string& id,
                             const CheckpointOptions& options) const override;
  using OciRuntime::criu_options;
  std::map<std::string, std::string> criu_options(const RestoreOptions& options) const override;
  void keep_seccomp(const std::string& id, std::string_view filter) const override;

 private:
  const bool no_cgroups_;
};

}  // namespace still::oci
