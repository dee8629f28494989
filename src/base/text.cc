#include "base/text.h"

#include <array>
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "base/format.h"

namespace still {
namespace {

constexpr std::string_view kWhiteSpace = " \t\r\n\v\f";
constexpr std::string_view kHexDigits = "0123456789abcdef";

// Reads a non-negative decimal number with an optional fraction from the front of text and removes
// it from there; nullopt if there is none.
std::optional<double> take_number(std::string_view& text) {
  double value = 0;
  const auto [end, problem] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (problem != std::errc{} || !(value >= 0) || !std::isfinite(value)) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

// The power of 1024 that a size suffix stands for; nullopt if it is none.
std::optional<int> size_exponent(std::string_view suffix) {
  const std::string name = lower(suffix);
  if (name.empty() || name == "b") return 0;
  const size_t exponent = std::string_view("kmgt").find(name[0]);
  const std::string_view rest = std::string_view(name).substr(1);
  if (exponent == std::string_view::npos || !(rest.empty() || rest == "b" || rest == "ib")) {
    return std::nullopt;
  }
  return static_cast<int>(exponent) + 1;
}

struct Unit {
  std::string_view suffix;
  double nanoseconds;
};
// Longer suffixes before their prefixes: "ms" is not "m" and a stray "s".
constexpr std::array kUnits = {Unit{"ns", 1},  Unit{"us", 1e3}, Unit{"ms", 1e6},
                               Unit{"s", 1e9}, Unit{"m", 6e10}, Unit{"h", 3.6e12}};

const Unit* take_unit(std::string_view& text) {
  for (const Unit& unit : kUnits) {
    if (!text.starts_with(unit.suffix)) continue;
    text.remove_prefix(unit.suffix.size());
    return &unit;
  }
  return nullptr;
}

}  // namespace

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string printable_name(std::string_view name) {
  constexpr size_t kLongest = 160;
  constexpr size_t kPart = 70;
  if (name.size() <= kLongest) return printable(name);
  return printable(name.substr(0, kPart)) + "..." + printable(name.substr(name.size() - kPart));
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string result;
  for (const std::string& part : parts) {
    if (&part != &parts.front()) result += separator;
    result += part;
  }
  return result;
}

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(kWhiteSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kWhiteSpace) - first + 1);
}

std::optional<int64_t> parse_integer(std::string_view text) {
  int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value);
  if (problem != std::errc{} || stop != end) return std::nullopt;
  return value;
}

uint64_t parse_size(std::string_view text) {
  std::string_view rest = text;
  const auto number = take_number(rest);
  const auto exponent = size_exponent(rest);
  const double bytes = number && exponent ? std::ldexp(*number, 10 * *exponent) : -1;
  if (bytes < 0 || bytes >= 0x1p63) {
    throw Error(ErrorKind::kUsage, "\"" + printable(text) + "\" is not a size",
                "write a number with an optional unit: 65536, 64k, 1.5g");
  }
  return static_cast<uint64_t>(bytes);
}

std::chrono::nanoseconds parse_duration(std::string_view text) {
  std::string_view rest = text;
  double total = 0;
  bool valid = !rest.empty();
  while (valid && !rest.empty()) {
    const auto number = take_number(rest);
    const Unit* unit = number ? take_unit(rest) : nullptr;
    valid = unit != nullptr;
    if (valid) total += *number * unit->nanoseconds;
  }
  if (!valid || total >= 0x1p62) {
    throw Error(ErrorKind::kUsage, "\"" + printable(text) + "\" is not a duration",
                "write a number with a unit: 250ms, 1.5s, 2m");
  }
  return std::chrono::nanoseconds(static_cast<int64_t>(total));
}

std::string human_size(uint64_t bytes) {
  constexpr std::array<std::string_view, 6> kSuffixes = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  size_t exponent = 0;
  for (; value >= 1024 && exponent + 1 < kSuffixes.size(); ++exponent) value /= 1024;
  return formatted("{:.{}f}{}", value, exponent == 0 || value >= 100 ? 0 : 1, kSuffixes[exponent]);
}

std::string human_duration(std::chrono::nanoseconds duration) {
  const auto ns = static_cast<double>(duration.count());
  if (ns < 1e6) return formatted("{:.0f} us", ns / 1e3);
  if (ns < 1e9) return formatted("{:.1f} ms", ns / 1e6);
  return formatted("{:.2f} s", ns / 1e9);
}

std::string printable(std::string_view bytes) {
  std::string result;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\') {
      result += "\\\\";
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (byte >= 0x20 && byte < 0x7f) {
      result += c;
    } else {
      result += formatted("\\x{:02x}", byte);
    }
  }
  return result;
}

std::string hex(std::string_view bytes) {
  std::string result;
  result.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    result += kHexDigits[byte >> 4];
    result += kHexDigits[byte & 15];
  }
  return result;
}

}  // namespace still
