#pragma once

#include <stdexcept>

namespace workload {

// A place or a file is not what the memory of its lane says.
class Inconsistent : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace workload
