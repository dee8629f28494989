#include "cli/output/human.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/format.h"
#include "base/text.h"
#include "os/clock.h"

namespace still::cli {
namespace {

constexpr int64_t kGoZeroTime = -62135596800;  // 0001-01-01T00:00:00Z

}  // namespace

std::string human_age(std::chrono::nanoseconds age) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(age).count();
  const auto minutes = seconds / 60;
  const auto hours = (seconds + 1800) / 3600;
  if (seconds < 1) return "Less than a second";
  if (seconds == 1) return "1 second";
  if (seconds < 60) return formatted("{} seconds", seconds);
  if (minutes == 1) return "About a minute";
  if (minutes < 60) return formatted("{} minutes", minutes);
  if (hours == 1) return "About an hour";
  if (hours < 48) return formatted("{} hours", hours);
  const auto days = hours / 24;
  if (days < 14) return formatted("{} days", days);
  if (days < 60) return formatted("{} weeks", days / 7);
  if (days < 730) return formatted("{} months", days / 30);
  return formatted("{} years", days / 365);
}

std::string decimal_size(uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  auto number = static_cast<double>(bytes);
  size_t unit = 0;
  for (; number >= 1000 && unit + 1 < kUnits.size(); ++unit) number /= 1000;
  return formatted("{:.3g} {}", number, kUnits[unit]);
}

std::string go_time(std::chrono::nanoseconds wall) {
  const std::string text = rfc3339(wall);  // 2026-01-31T12:00:00.120000000Z
  std::string time = text.substr(11, text.size() - 12);
  if (time.contains('.')) time.erase(time.find_last_not_of('0') + 1);
  if (time.ends_with('.')) time.pop_back();
  return text.substr(0, 10) + " " + time + " +0000 UTC";
}

int64_t unix_seconds(std::chrono::nanoseconds wall) {
  if (wall.count() == 0) return kGoZeroTime;
  return std::chrono::floor<std::chrono::seconds>(wall).count();
}

std::chrono::nanoseconds since(std::chrono::nanoseconds wall) {
  return std::max(Instant::now().wall - wall, std::chrono::nanoseconds::zero());
}

std::string command_text(const std::string& name, const std::vector<std::string>& words) {
  return words.empty() ? "[" + printable(name) + "]" : printable_name(join(words, " "));
}

}  // namespace still::cli
