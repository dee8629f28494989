#include "os/process_status.h"

#include <format>

#include "base/text.h"
#include "os/files.h"

namespace still {

std::optional<std::string> process_status_field(pid_t pid, std::string_view name) {
  const auto status = read_file_if_exists(std::format("/proc/{}/status", pid));
  return status ? status_field(*status, name) : std::nullopt;
}

std::optional<std::string> status_field(std::string_view status, std::string_view name) {
  const std::string key = std::string(name) + ":";
  for (const std::string& line : split(status, '\n')) {
    if (line.starts_with(key)) return std::string(trim(line.substr(key.size())));
  }
  return std::nullopt;
}

}  // namespace still
