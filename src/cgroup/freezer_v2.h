// The freezer of cgroup v2. Internal to cgroup/.
#pragma once

#include "cgroup/freezer.h"

namespace still::cgroup {

class FreezerV2 final : public Freezer {
 public:
  FreezerV2(Fd directory, const std::string& name);
  Version version() const override { return Version::kV2; }
  FreezerState state() const override;
  void request(bool frozen) override;

 protected:
  void wait_for_change(Deadline deadline) override;
  bool has_frozen_ancestor() const override;
  std::string thread_list() const override { return "cgroup.threads"; }

 private:
  // A cgroup with tasks of its own says "frozen 1" when those are frozen, while the tasks of
  // cgroups below it may still run (seen on Linux 6.18): so all of them are asked.
  bool all_say_frozen() const;

  // cgroup.events, kept open: poll() tells of changes since the last read of this descriptor, so
  // none between a look and the wait is missed.
  const Fd events_;
};

}  // namespace still::cgroup
