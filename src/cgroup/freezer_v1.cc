#include "cgroup/freezer_v1.h"

#include <algorithm>
#include <thread>

#include "base/text.h"

namespace still::cgroup {
namespace {

constexpr std::chrono::microseconds kStep{500};

}  // namespace

FreezerState FreezerV1::state() const {
  // Reading freezer.state makes the kernel look whether all tasks have arrived.
  const bool frozen = trim(read("freezer.state")) == "FROZEN";
  return {.requested = trim(read("freezer.self_freezing")) == "1", .frozen = frozen};
}

void FreezerV1::request(bool frozen) { write("freezer.state", frozen ? "FROZEN" : "THAWED"); }

void FreezerV1::wait_for_change(Deadline deadline) {
  // v1 has no notification. While it is FREEZING, asking again wakes tasks that have come by fork
  // or missed the first call; without it, v1 can stay FREEZING for ever.
  if (state().requested) request(true);
  std::this_thread::sleep_until(std::min(deadline, Deadline::clock::now() + kStep));
}

bool FreezerV1::has_frozen_ancestor() const { return trim(read("freezer.parent_freezing")) == "1"; }

}  // namespace still::cgroup
