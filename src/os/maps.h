// What a process has mapped, as the kernel lists it (proc_pid_maps(5)).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

using AddressRange = std::pair<uint64_t, uint64_t>;  // the end is outside

// The mappings of a process that have at least one of the flags (VmFlags of proc_pid_smaps(5)), in
// the order of addresses; none if it has ended. The kernel looks at each page for it, so it takes
// its time with much memory. Throws Error(kSystem).
std::vector<AddressRange> mappings_with_flags(pid_t pid, const std::vector<std::string>& flags);

}  // namespace still
