// Messages for the person at the terminal, one line each on standard error.
#pragma once

#include <string_view>

namespace still {

enum class LogLevel { kError, kWarning, kInfo, kDebug };

// Messages below this importance are dropped. Default: kWarning. Thread-safe.
void set_log_level(LogLevel level);

// Parses "error", "warn", "info", "debug"; throws Error(kUsage) for anything else.
LogLevel parse_log_level(std::string_view name);

// Writes "LEVEL: message\n" with one write call. Never throws: a full or closed standard error
// must not end a checkpoint.
void log(LogLevel level, std::string_view message) noexcept;

inline void warn(std::string_view message) noexcept { log(LogLevel::kWarning, message); }
inline void info(std::string_view message) noexcept { log(LogLevel::kInfo, message); }
inline void debug(std::string_view message) noexcept { log(LogLevel::kDebug, message); }

}  // namespace still
