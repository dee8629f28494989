// The freezer hierarchy of cgroup v1. Internal to cgroup/.
#pragma once

#include "cgroup/freezer.h"

namespace still::cgroup {

class FreezerV1 final : public Freezer {
 public:
  FreezerV1(Fd directory, const std::string& name) : Freezer(std::move(directory), name) {}
  Version version() const override { return Version::kV1; }
  FreezerState state() const override;
  void request(bool frozen) override;

 protected:
  void wait_for_change(Deadline deadline) override;
  bool has_frozen_ancestor() const override;
  std::string thread_list() const override { return "tasks"; }
};

}  // namespace still::cgroup
