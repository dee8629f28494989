// What the kernel says of an open file in /proc/PID/fdinfo (proc_pid_fdinfo(5)). Plain computation.
#pragma once

#include <cstdint>
#include <string_view>

namespace still {

// A field of numbers, "mnt_id:	23"; 0 if there is none.
uint64_t fdinfo_number(std::string_view information, std::string_view field, int base);
// Whether it was opened with the flag (open(2)).
bool has_open_flag(std::string_view information, uint64_t flag);

}  // namespace still
