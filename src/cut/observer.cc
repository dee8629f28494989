#include "cut/observer.h"

#include <array>

namespace still::cut {

std::string_view to_string(Step step) {
  constexpr std::array<std::string_view, 13> kNames = {
      "plan",    "pre-copy", "freeze", "dump",   "capture", "thaw",   "merge",
      "archive", "encrypt",  "verify", "unpack", "prepare", "restore"};
  return kNames[static_cast<size_t>(step)];
}

StepScope::StepScope(Observer& observer, Step step)
    : observer_(observer), step_(step), start_(std::chrono::steady_clock::now()) {
  observer_.step_started(step_);
}

StepScope::~StepScope() {
  observer_.step_finished(step_, std::chrono::steady_clock::now() - start_);
}

}  // namespace still::cut
