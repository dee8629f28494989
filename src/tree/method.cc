#include "tree/method.h"

namespace still::tree {

std::string to_string(Method method) {
  switch (method) {
    case Method::kCopy:
      return "copy";
    case Method::kPreCopy:
      return "pre-copy";
    case Method::kClone:
      return "clone";
    case Method::kSnapshot:
      return "snapshot";
  }
  return {};
}

bool takes_space(Method method) {
  switch (method) {
    case Method::kCopy:
    case Method::kPreCopy:
      return true;
    case Method::kClone:
    case Method::kSnapshot:
      return false;
  }
  return true;
}

}  // namespace still::tree
