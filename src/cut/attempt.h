// For ways to cut memory that may fail where another one succeeds.
#pragma once

#include "base/error.h"

namespace still::cut {

// What work throws becomes Error(kAnotherWay), unless the user has interrupted it.
template <typename Work>
auto attempt(const Work& work) try {
  return work();
} catch (const Error& error) {
  if (error.kind() == ErrorKind::kInterrupted) throw;
  throw Error(ErrorKind::kAnotherWay, error.message(), error.hint());
}

}  // namespace still::cut
