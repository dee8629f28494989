// What a process has mapped, as the kernel lists it (proc_pid_maps(5)).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace still {

// A line of /proc/PID/maps, or the first one of a mapping in /proc/PID/smaps.
struct MapsLine {
  uint64_t start = 0, end = 0;
  std::string permissions;  // "rw-p"
  uint64_t offset = 0;
  std::string device;  // "fd:01"
  uint64_t inode = 0;
  std::string name;  // path of the file, "[stack]", empty
};

// nullopt for another line.
std::optional<MapsLine> parse_maps_line(std::string_view line);

}  // namespace still
