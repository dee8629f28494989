#include "engine/monitor/detach_keys.h"

namespace still::engine {
namespace {

constexpr char kFirst = 'p' & 0x1f;
constexpr char kSecond = 'q' & 0x1f;

}  // namespace

DetachKeys::Filtered DetachKeys::filter(std::string_view typed) {
  Filtered result;
  for (const char key : typed) {
    if (first_seen_ && key == kSecond) return {std::move(result.passed), true};
    if (first_seen_) result.passed += kFirst;
    first_seen_ = key == kFirst;
    if (!first_seen_) result.passed += key;
  }
  return result;
}

}  // namespace still::engine
