// Which containers a command is about.
#pragma once

#include <string>
#include <vector>

#include "store/store.h"

namespace still::engine {

// Which containers a command line names: references, or all, or the newest. Error(kUsage) when none
// or several of these are given; Error(kNotFound).
struct Selection {
  std::vector<std::string> references;
  bool all = false;
  bool latest = false;
};
// Full ids, in order of mention, each once. With all: the oldest first.
std::vector<std::string> resolve(store::Store& store, const Selection& selection);

}  // namespace still::engine
