#include "os/maps.h"

#include <algorithm>
#include <charconv>

#include "base/format.h"
#include "base/text.h"
#include "os/files.h"

namespace still {
namespace {

constexpr int kHexadecimal = 16;

// The first word, taken from the line.
std::string_view take_word(std::string_view& line) {
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(word.size() + 1, line.size()));
  return word;
}

std::optional<uint64_t> parse_number(std::string_view text, int base) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// The kernel writes a newline in a path as \012 and nothing else.
std::string decode(std::string_view path) {
  std::string result;
  for (size_t at = 0; at < path.size(); ++at) {
    if (path.substr(at).starts_with("\\012")) {
      result += '\n';
      at += 3;
    } else {
      result += path[at];
    }
  }
  return result;
}

}  // namespace

std::optional<MapsLine> parse_maps_line(std::string_view line) {
  // "START-END PERMISSIONS OFFSET DEVICE INODE   NAME", hexadecimal but for the inode
  std::string_view addresses = take_word(line);
  const size_t dash = addresses.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto start = parse_number(addresses.substr(0, dash), kHexadecimal);
  const auto end = parse_number(addresses.substr(dash + 1), kHexadecimal);
  const std::string_view permissions = take_word(line);
  const auto offset = parse_number(take_word(line), kHexadecimal);
  const std::string_view device = take_word(line);
  const auto inode = parse_number(take_word(line), 10);
  if (!start || !end || permissions.size() != 4 || !offset || !inode) return std::nullopt;
  return MapsLine{.start = *start,
                  .end = *end,
                  .permissions = std::string(permissions),
                  .offset = *offset,
                  .device = std::string(device),
                  .inode = *inode,
                  .name = decode(line.substr(std::min(line.find_first_not_of(' '), line.size())))};
}

std::vector<AddressRange> mappings_with_flags(pid_t pid, const std::vector<std::string>& flags) {
  std::vector<AddressRange> found;
  AddressRange current;
  const std::string text = read_file_if_exists(formatted("/proc/{}/smaps", pid)).value_or("");
  constexpr std::string_view kFlags = "VmFlags:";
  for (const std::string& line : split(text, '\n')) {
    if (const auto mapping = parse_maps_line(line)) {
      current = {mapping->start, mapping->end};
    } else if (line.starts_with(kFlags)) {
      const auto words = split(line.substr(kFlags.size()), ' ');
      const auto is_set = [&](const std::string& flag) {
        return std::ranges::contains(words, flag);
      };
      if (std::ranges::any_of(flags, is_set)) found.push_back(current);
    }
  }
  return found;
}

}  // namespace still
