// Containers that write to each other's volumes.
#pragma once

#include <string>
#include <vector>

#include "engine/container/container.h"

namespace still::engine {

// A container and those that share its volumes, all locked.
struct Sharing {
  Container container;
  std::vector<Container> sharers;  // running, with one of its volumes mounted read-write
};

// Waits for all locks, in an order in which two callers cannot wait for each other. With
// with_sharers false there are none. Errors as Container::open.
Sharing open_with_sharers(const journal::Host& host, const std::string& id, bool with_sharers);

}  // namespace still::engine
