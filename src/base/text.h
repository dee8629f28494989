// Small helpers on strings and numbers.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace still {

// The parts of text between separators; empty parts are kept ("a,,b" has three).
std::vector<std::string> split(std::string_view text, char separator);

// printable(), shortened in the middle where it is long: for names in messages.
std::string printable_name(std::string_view name);

std::string join(const std::vector<std::string>& parts, std::string_view separator);

// Without white space at both ends.
std::string_view trim(std::string_view text);

// The whole of text as a decimal number; nullopt if it is empty, has other characters or does not
// fit.
std::optional<int64_t> parse_integer(std::string_view text);

// "512", "64k", "1.5g", "2MiB" in bytes (suffixes b k m g t, powers of 1024, any case, optional
// trailing "b" or "ib"), as Podman's --shm-size takes them. Throws Error(kUsage).
uint64_t parse_size(std::string_view text);

// "250ms", "1.5s", "2m", "1h", combinations as Go writes them ("1m30s"). Throws Error(kUsage).
std::chrono::nanoseconds parse_duration(std::string_view text);

// "1.5MiB" as people read it (powers of 1024, three significant digits).
std::string human_size(uint64_t bytes);

// "412 us", "38.2 ms", "1.24 s".
std::string human_duration(std::chrono::nanoseconds duration);

// Every byte that is not printable ASCII as \xNN (and \n, \t, \\), so that a hostile file name
// cannot garble a terminal or break the one-line rule of error messages.
std::string printable(std::string_view bytes);

// Lower-case hexadecimal digits of the bytes.
std::string hex(std::string_view bytes);

}  // namespace still
