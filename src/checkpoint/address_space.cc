#include "checkpoint/address_space.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/format.h"
#include "base/text.h"
#include "os/fd.h"
#include "os/files.h"
#include "os/maps.h"
#include "os/mount.h"
#include "os/process_status.h"
#include "os/walk.h"

namespace still::checkpoint {
namespace {

// What CRIU's code needs in a process: the socket over which it is spoken to, what it opens in
// /proc, mappings for its code, data and stacks.
constexpr uint64_t kDescriptors = 4;
constexpr uint64_t kMappings = 16;
constexpr uint64_t kBytes = uint64_t{4} << 20;

// The kernel holds the process's mappings for one piece, and nobody is to notice.
constexpr uint64_t kPiece = uint64_t{1} << 30;

// ioctl(2), PAGEMAP_SCAN: PAGE_IS_GUARD of linux/fs.h since Linux 6.15. Kernels that do not know it
// say so (EINVAL); those of 6.13 and 6.14 have such pages and cannot tell.
bool has_guards(const Fd& page_map, const MapsLine& mapping) {
  constexpr uint64_t kIsGuard = 1 << 8;
  for (uint64_t start = mapping.start; start < mapping.end; start += kPiece) {
    page_region found{};
    pm_scan_arg scan{};
    scan.size = sizeof scan;
    scan.start = start;
    scan.end = std::min(mapping.end, start + kPiece);
    scan.vec = reinterpret_cast<uint64_t>(&found);
    scan.vec_len = 1;
    scan.max_pages = 1;
    scan.category_mask = kIsGuard;
    scan.return_mask = kIsGuard;
    const int regions = ::ioctl(page_map.get(), PAGEMAP_SCAN, &scan);
    if (regions != 0) return regions > 0;
  }
  return false;
}

std::string unfit_memory(pid_t pid, const std::vector<MapsLine>& mappings) {
  const auto page_map = open_if_exists(formatted("/proc/{}/pagemap", pid), O_RDONLY);
  for (const MapsLine& mapping : mappings) {
    if (mapping.name.starts_with("/secretmem")) return "has secret memory (memfd_secret(2))";
    const bool can_have = page_map && !mapping.name.starts_with("[v");  // the kernel's own
    if (can_have && has_guards(*page_map, mapping)) return "has guard pages (MADV_GUARD_INSTALL)";
  }
  return {};
}

uint64_t most_mappings() {
  const auto text = read_file_if_exists("/proc/sys/vm/max_map_count");
  return text ? static_cast<uint64_t>(parse_integer(trim(*text)).value_or(INT64_MAX)) : UINT64_MAX;
}

// Those that count against the limit: a new one gets the lowest number that is free.
uint64_t descriptors_below(pid_t pid, uint64_t limit) {
  const auto directory = open_if_exists(formatted("/proc/{}/fd", pid), O_RDONLY | O_DIRECTORY);
  if (!directory) return 0;
  return static_cast<uint64_t>(std::ranges::count_if(list_names(*directory), [&](const auto& name) {
    const auto number = parse_integer(name);
    return number && static_cast<uint64_t>(*number) < limit;
  }));
}

// "VmSize:	    4711 kB"
uint64_t address_space_of(pid_t pid) {
  const std::string size = process_status_field(pid, "VmSize").value_or("0");
  constexpr int kDecimal = 10;
  return std::strtoull(size.c_str(), nullptr, kDecimal) << 10;
}

std::string missing_room(pid_t pid, size_t mappings) {
  const std::string limits = read_file_if_exists(formatted("/proc/{}/limits", pid)).value_or("");
  const uint64_t files = soft_limit(limits, "Max open files");
  if (descriptors_below(pid, files) + kDescriptors > files) {
    return formatted("has as many descriptors as its limit allows ({}), and CRIU needs {} there",
                     files, kDescriptors);
  }
  const uint64_t bytes = soft_limit(limits, "Max address space");
  if (address_space_of(pid) + kBytes > bytes) {
    return formatted(
        "has as much memory as its limit of the address space allows ({}), and CRIU "
        "needs {} there",
        human_size(bytes), human_size(kBytes));
  }
  const uint64_t most = most_mappings();
  if (mappings + kMappings > most) {
    return formatted(
        "has as many mappings as vm.max_map_count allows ({}), and CRIU needs {} there", most,
        kMappings);
  }
  return {};
}

}  // namespace

bool is_on_nested_overlay(pid_t process) {
  const std::string directory = formatted("/proc/{}", process);
  const auto program = mount_id_of(directory + "/exe");
  const auto maps = read_file_if_exists(directory + "/maps");
  std::error_code gone;
  const auto path = std::filesystem::read_symlink(directory + "/exe", gone);
  if (program == 0 || !maps || gone) return false;
  for (const std::string& line : split(*maps, '\n')) {
    const auto mapping = parse_maps_line(line);
    if (!mapping || mapping->name != path) continue;
    const auto mapped =
        mount_id_of(formatted("{}/map_files/{:x}-{:x}", directory, mapping->start, mapping->end));
    return mapped != 0 && mapped != program;
  }
  return false;
}

uint64_t soft_limit(std::string_view limits, std::string_view name) {
  for (const std::string& line : split(std::string(limits), '\n')) {
    if (!line.starts_with(name)) continue;
    const std::string rest(trim(std::string_view(line).substr(name.size())));
    return static_cast<uint64_t>(parse_integer(rest.substr(0, rest.find(' '))).value_or(-1));
  }
  return UINT64_MAX;
}

std::optional<Unfit> find_unfit(const std::vector<pid_t>& processes) {
  for (const pid_t pid : processes) {
    std::vector<MapsLine> mappings;
    const auto maps = read_file_if_exists(formatted("/proc/{}/maps", pid));
    for (const std::string& line : split(maps.value_or(""), '\n')) {
      if (auto mapping = parse_maps_line(line)) mappings.push_back(std::move(*mapping));
    }
    if (mappings.empty()) continue;  // it has ended
    std::string words = unfit_memory(pid, mappings);
    if (words.empty()) words = missing_room(pid, mappings.size());
    if (!words.empty()) return Unfit{.process = pid, .words = std::move(words)};
  }
  return std::nullopt;
}

}  // namespace still::checkpoint
