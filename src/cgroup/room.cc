#include "cgroup/room.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "os/files.h"

namespace still::cgroup {
namespace {

// nullopt for "max", and for a file that is not there.
std::optional<uint64_t> number_in(const std::filesystem::path& file) {
  const auto text = read_file_if_exists(file);
  const auto number = text ? parse_integer(trim(*text)) : std::nullopt;
  return number && *number >= 0 ? std::optional(static_cast<uint64_t>(*number)) : std::nullopt;
}

// A line "KEY NUMBER" of memory.stat; 0 without one.
uint64_t statistic(const std::filesystem::path& directory, const std::string& key) {
  const auto text = read_file_if_exists(directory / "memory.stat");
  for (const std::string& line : split(text.value_or(""), '\n')) {
    if (!line.starts_with(key + " ")) continue;
    return static_cast<uint64_t>(
        std::max<int64_t>(0, parse_integer(line.substr(key.size() + 1)).value_or(0)));
  }
  return 0;
}

uint64_t left(std::optional<uint64_t> limit, std::optional<uint64_t> used, uint64_t reclaimable) {
  if (!limit || !used) return UINT64_MAX;
  const uint64_t needed = *used - std::min(*used, reclaimable);
  return *limit - std::min(*limit, needed);
}

Room room_of(const std::filesystem::path& directory) {
  const uint64_t v2 =
      left(number_in(directory / "memory.max"), number_in(directory / "memory.current"),
           statistic(directory, "inactive_file"));
  const uint64_t v1 = left(number_in(directory / "memory.limit_in_bytes"),
                           number_in(directory / "memory.usage_in_bytes"),
                           statistic(directory, "total_inactive_file"));
  return {.memory_bytes = std::min(v1, v2),
          .processes =
              left(number_in(directory / "pids.max"), number_in(directory / "pids.current"), 0),
          .ends_as_a_whole = number_in(directory / "memory.oom.group").value_or(0) != 0};
}

}  // namespace

Room room_in(const std::vector<std::filesystem::path>& roots, const std::string& path) {
  Room least;
  for (const auto& root : roots) {
    for (std::string rest = path; !rest.empty(); rest.resize(rest.rfind('/'))) {
      const Room room = room_of(root.native() + rest);
      least.memory_bytes = std::min(least.memory_bytes, room.memory_bytes);
      least.processes = std::min(least.processes, room.processes);
      least.ends_as_a_whole |= room.ends_as_a_whole;
    }
  }
  return least;
}

}  // namespace still::cgroup
