#include "engine/monitor/log_line.h"

namespace still::engine {
namespace {

// Up to the next space, which goes with it; nullopt if there is none.
std::optional<std::string_view> take_word(std::string_view& line) {
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(space + 1);
  return word;
}

}  // namespace

std::optional<LogLine> parse_log_line(std::string_view line) {
  // TIME STREAM TAG TEXT; TEXT may be empty.
  const auto time = take_word(line);
  const auto stream = time ? take_word(line) : std::nullopt;
  const auto tag = stream ? take_word(line) : std::nullopt;
  if (!tag || (*stream != "stdout" && *stream != "stderr") || (*tag != "F" && *tag != "P")) {
    return std::nullopt;
  }
  return LogLine{
      .time = *time, .from_stderr = *stream == "stderr", .partial = *tag == "P", .text = line};
}

}  // namespace still::engine
