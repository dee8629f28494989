#include "os/process_status.h"

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "os/files.h"

namespace still {

std::optional<std::string> process_status_field(pid_t pid, std::string_view name) {
  const auto status = read_file_if_exists(formatted("/proc/{}/status", pid));
  return status ? status_field(*status, name) : std::nullopt;
}

pid_t tracer_of(pid_t pid) {
  const auto tracer = process_status_field(pid, "TracerPid").value_or("0");
  return static_cast<pid_t>(parse_integer(tracer).value_or(0));
}

std::optional<std::string> status_field(std::string_view status, std::string_view name) {
  const std::string key = std::string(name) + ":";
  for (const std::string& line : split(status, '\n')) {
    if (line.starts_with(key)) return std::string(trim(line.substr(key.size())));
  }
  return std::nullopt;
}

bool ProcessStat::is_ending() const {
  constexpr uint64_t kExiting = 0x4;  // PF_EXITING of linux/sched.h, the same since Linux 2.6
  return (flags & kExiting) != 0;
}

std::optional<ProcessStat> process_stat(pid_t pid) {
  const auto text = read_file_if_exists(formatted("/proc/{}/stat", pid));
  if (!text) return std::nullopt;
  // The second field, the command, may hold anything but ends with the last ")".
  const size_t name_end = text->rfind(')');
  const auto fields = name_end == std::string::npos
                          ? std::vector<std::string>()
                          : split(trim(std::string_view(*text).substr(name_end + 1)), ' ');
  const auto field = [&](size_t number) {  // as proc_pid_stat(5) counts them
    constexpr size_t kFirst = 3;
    const size_t index = number - kFirst;
    const auto value = index < fields.size() ? parse_integer(fields[index]) : std::nullopt;
    if (!value) throw Error(ErrorKind::kSystem, formatted("cannot parse /proc/{}/stat", pid));
    return *value;
  };
  return ProcessStat{.state = fields.empty() || fields[0].empty() ? '?' : fields[0][0],
                     .parent = static_cast<pid_t>(field(4)),
                     .group = static_cast<pid_t>(field(5)),
                     .session = static_cast<pid_t>(field(6)),
                     .terminal = field(7),
                     .flags = static_cast<uint64_t>(field(9)),
                     .threads = field(20),
                     .start_time = static_cast<uint64_t>(field(22)),
                     .exit_signal = field(38)};
}

}  // namespace still
