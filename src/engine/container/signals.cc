#include "engine/container/signals.h"

#include <csignal>
#include <cstring>
#include <string>

#include "base/error.h"
#include "base/text.h"

namespace still::engine {
namespace {

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return result;
}

// "RTMIN", "RTMIN+3", "RTMAX-2".
std::optional<int> parse_real_time(std::string_view name) {
  const bool from_start = name.starts_with("RTMIN");
  if (!from_start && !name.starts_with("RTMAX")) return std::nullopt;
  name.remove_prefix(5);
  if (name.empty()) return from_start ? SIGRTMIN : SIGRTMAX;
  const auto offset = parse_integer(name.substr(name[0] == '+' ? 1 : 0));
  if (!offset) return std::nullopt;
  return (from_start ? SIGRTMIN : SIGRTMAX) + static_cast<int>(*offset);
}

std::optional<int> parse_name(std::string_view name) {
  for (int number = 1; number < SIGRTMIN; ++number) {
    const char* known = ::sigabbrev_np(number);
    if (known != nullptr && name == known) return number;
  }
  return parse_real_time(name);
}

}  // namespace

int parse_signal(std::string_view text) {
  std::string name = upper(text);
  if (name.starts_with("SIG")) name.erase(0, 3);
  std::optional<int> number = parse_name(name);
  if (!number) {
    if (const auto value = parse_integer(text); value && *value > 0 && *value <= SIGRTMAX) {
      number = static_cast<int>(*value);
    }
  }
  if (!number || *number < 1 || *number > SIGRTMAX) {
    throw Error(ErrorKind::kUsage, "\"" + printable(text) + "\" is not a signal",
                "write its name or number: TERM, SIGKILL, 15");
  }
  return *number;
}

}  // namespace still::engine
