#include "os/user_room.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "base/format.h"
#include "base/text.h"
#include "os/files.h"
#include "os/proc_entries.h"
#include "os/process_status.h"

namespace still {
namespace {

// The first number of a field of /proc/PID/status.
std::optional<uint64_t> status_number(pid_t pid, std::string_view field) {
  const auto text = process_status_field(pid, field);
  if (!text) return std::nullopt;
  const auto number = parse_integer(trim(text->substr(0, text->find('\t'))));
  return number && *number >= 0 ? std::optional(static_cast<uint64_t>(*number)) : std::nullopt;
}

// nullopt: as many as there can be.
std::optional<uint64_t> limit_of(pid_t pid) {
  constexpr std::string_view kLine = "Max processes";
  const std::string limits = read_file_if_exists(formatted("/proc/{}/limits", pid)).value_or("");
  for (const std::string& line : split(limits, '\n')) {
    if (!line.starts_with(kLine)) continue;
    const std::string_view rest = trim(std::string_view(line).substr(kLine.size()));
    const auto number = parse_integer(rest.substr(0, rest.find(' ')));
    return number && *number >= 0 ? std::optional(static_cast<uint64_t>(*number)) : std::nullopt;
  }
  return std::nullopt;
}

// Of every user that has any.
std::map<uint64_t, uint64_t> count_tasks() {
  std::map<uint64_t, uint64_t> tasks;
  for_each_proc_entry("/proc", [&](const std::filesystem::path& entry) {
    const auto pid = parse_integer(entry.filename().native());
    if (!pid) return;
    const auto user = status_number(static_cast<pid_t>(*pid), "Uid");
    if (user) tasks[*user] += status_number(static_cast<pid_t>(*pid), "Threads").value_or(0);
  });
  return tasks;
}

}  // namespace

uint64_t user_room(const std::vector<pid_t>& processes) {
  std::map<uint64_t, uint64_t> limits;  // by user: the least
  for (const pid_t pid : processes) {
    const auto user = status_number(pid, "Uid");
    const auto limit = limit_of(pid);
    if (!user || *user == 0 || !limit) continue;
    const auto known = limits.try_emplace(*user, *limit).first;
    known->second = std::min(known->second, *limit);
  }
  uint64_t room = UINT64_MAX;
  if (limits.empty()) return room;
  const auto tasks = count_tasks();
  for (const auto& [user, limit] : limits) {
    const auto found = tasks.find(user);
    const uint64_t used = found == tasks.end() ? 0 : found->second;
    room = std::min(room, limit - std::min(limit, used));
  }
  return room;
}

}  // namespace still
