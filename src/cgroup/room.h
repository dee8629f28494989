// What the limits of a cgroup leave.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace still::cgroup {

// UINT64_MAX where there is no limit. Memory that the kernel can take from files that are cached
// counts as free.
struct Room {
  uint64_t memory_bytes = UINT64_MAX;
  uint64_t processes = UINT64_MAX;
  // When memory is short the kernel ends all processes together (memory.oom.group).
  bool ends_as_a_whole = false;
};

// The least room of the cgroup at `path` and of those above it, in any of the hierarchies that are
// mounted at `roots`, v1 or v2. What is not there limits nothing.
Room room_in(const std::vector<std::filesystem::path>& roots, const std::string& path);

}  // namespace still::cgroup
