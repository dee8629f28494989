// Undoing on the way out of an error.
#pragma once

#include "base/error.h"
#include "base/log.h"

namespace still {

// Whatever goes wrong in action is reported; the first error stays the one that is thrown.
template <typename Action>
void undo(const Action& action) noexcept {
  try {
    action();
  } catch (const Error& error) {
    log(LogLevel::kError, error.message());
  }
}

}  // namespace still
