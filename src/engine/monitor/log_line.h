// One line of a log in conmon's format k8s-file.
#pragma once

#include <optional>
#include <string_view>

namespace still::engine {

struct LogLine {
  std::string_view time;  // RFC 3339
  bool from_stderr = false;
  bool partial = false;  // the next line of the same stream goes on with it
  std::string_view text;
};

// Views into line, which has no line feed. nullopt if it is none.
std::optional<LogLine> parse_log_line(std::string_view line);

}  // namespace still::engine
