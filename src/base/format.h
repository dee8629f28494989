// std::format, compiled once: in a file that calls std::format itself the compiler makes all of it
// again, two seconds each.
#pragma once

#include <format>
#include <string>
#include <string_view>
#include <utility>

namespace still {

std::string format_arguments(std::string_view format, std::format_args arguments);

// What std::format(format, arguments...) returns.
template <typename... Arguments>
std::string formatted(std::format_string<Arguments...> format, Arguments&&... arguments) {
  return format_arguments(format.get(), std::make_format_args(arguments...));
}

}  // namespace still
