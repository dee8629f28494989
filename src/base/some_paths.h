// Paths for messages: all are counted, the first ones kept.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace still {

// An archive decides how many paths there are, not how much memory they take.
inline constexpr size_t kPathsKept = 10;

struct SomePaths {
  uint64_t count = 0;
  std::vector<std::string> first;  // at most kPathsKept, in the order in which they came

  bool empty() const { return count == 0; }
  void add(std::string_view path);
};

// "a, b and 3 more", printable.
std::string describe(const SomePaths& paths);

}  // namespace still
