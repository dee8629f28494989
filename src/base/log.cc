#include "base/log.h"

#include <unistd.h>

#include <atomic>
#include <string>

#include "base/error.h"

namespace still {
namespace {

std::atomic<LogLevel> threshold{LogLevel::kWarning};

constexpr std::string_view kNames[] = {"error", "warn", "info", "debug"};
constexpr std::string_view kPrefixes[] = {"Error: ", "Warning: ", "", "debug: "};

}  // namespace

void set_log_level(LogLevel level) { threshold = level; }

LogLevel parse_log_level(std::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<LogLevel>(i);
  }
  throw Error(ErrorKind::kUsage, "unknown log level \"" + std::string(name) + "\"",
              "use error, warn, info or debug");
}

void log(LogLevel level, std::string_view message) noexcept try {
  if (level > threshold.load()) return;
  std::string line(kPrefixes[static_cast<size_t>(level)]);
  line.append(message).push_back('\n');
  // There is nowhere to report a failure to report.
  [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
} catch (...) {  // out of memory while composing the line
}

}  // namespace still
