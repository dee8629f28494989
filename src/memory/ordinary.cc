#include "memory/ordinary.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "os/files.h"
#include "os/maps.h"
#include "os/process_status.h"

namespace still::memory {
namespace {

size_t count_pid_namespaces(const std::string& status) {
  return split(status_field(status, "NSpid").value_or(""), '\t').size();
}

bool is_program_of_32_bits(pid_t pid) try {
  const Fd program = open_file(formatted("/proc/{}/exe", pid), O_RDONLY);
  unsigned char start[EI_NIDENT] = {};
  return ::pread(program.get(), start, sizeof start, 0) == sizeof start &&
         start[EI_CLASS] == ELFCLASS32;
} catch (const Error&) {  // it has ended
  return false;
}

}  // namespace

std::string why_not_ordinary(const std::string& status, const std::string& maps,
                             size_t pid_namespaces) {
  if (status_field(status, "TracerPid").value_or("0") != "0") return "is traced";
  if (count_pid_namespaces(status) > pid_namespaces) return "has a pid namespace of its own";
  if (!status_field(status, "HugetlbPages").value_or("0").starts_with("0")) {
    return "uses huge pages of hugetlbfs";
  }
  for (const std::string& line : split(maps, '\n')) {
    const auto mapping = parse_maps_line(line);
    if (mapping && mapping->name == "/[aio] (deleted)") return "uses asynchronous I/O";
  }
  return {};
}

std::string why_not_ordinary(const std::vector<pid_t>& processes) {
  size_t pid_namespaces = 0;
  for (const pid_t pid : processes) {
    const auto status = read_file_if_exists(formatted("/proc/{}/status", pid));
    const auto maps = read_file_if_exists(formatted("/proc/{}/maps", pid));
    if (!status || !maps) continue;
    if (pid_namespaces == 0) pid_namespaces = count_pid_namespaces(*status);
    std::string reason = why_not_ordinary(*status, *maps, pid_namespaces);
    if (reason.empty() && is_program_of_32_bits(pid)) reason = "is a program of 32 bits";
    if (reason.empty()) continue;
    return formatted("process {} ({}) {}", pid,
                     printable(status_field(*status, "Name").value_or("?")), reason);
  }
  return {};
}

}  // namespace still::memory
