// Numbers, moments and commands as Podman's lists, and ps, write them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace still::cli {

// "Less than a second", "5 seconds", "About a minute", "3 hours", "2 weeks".
std::string human_age(std::chrono::nanoseconds age);

// Powers of 1000 with three digits: "2.04 MB".
std::string decimal_size(uint64_t bytes);

// "2026-01-31 12:00:00.123456789 +0000 UTC", as Go prints a time.
std::string go_time(std::chrono::nanoseconds wall);

// Seconds since the epoch; Go's zero time (year 1) for a moment that has not come.
int64_t unix_seconds(std::chrono::nanoseconds wall);

// The time since a moment of the wall clock; never negative.
std::chrono::nanoseconds since(std::chrono::nanoseconds wall);

// Of a process, printable; "[name]" without the words.
std::string command_text(const std::string& name, const std::vector<std::string>& words);

}  // namespace still::cli
