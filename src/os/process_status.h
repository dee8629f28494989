// What the kernel says of a process in words.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace still {

// A field of /proc/PID/status (proc_pid_status(5)), "TracerPid", without the white space around it;
// for threads, too. nullopt if there is no such process or no such field. Throws Error(kSystem).
std::optional<std::string> process_status_field(pid_t pid, std::string_view name);
// The same of a text that has been read.
std::optional<std::string> status_field(std::string_view status, std::string_view name);

}  // namespace still
