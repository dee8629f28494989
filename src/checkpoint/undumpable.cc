#include "checkpoint/undumpable.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "os/files.h"
#include "os/process_status.h"
#include "os/walk.h"

namespace still::checkpoint {
namespace {

std::string command_of(pid_t pid) {
  const auto name = read_file_if_exists(formatted("/proc/{}/comm", pid));
  return printable(trim(name.value_or("?")));
}

void refuse_executed(const engine::Container& container) {
  const std::vector<pid_t> foreign = container.foreign_processes();
  if (foreign.empty()) return;
  throw Error(ErrorKind::kUnsupported,
              formatted("process {} ({}) was brought into container {} by exec, and CRIU cannot "
                        "dump it",
                        foreign[0], command_of(foreign[0]), container.name()),
              "end it first");
}

// The name of a resource that CRIU cannot dump, behind the target of a /proc/PID/fd link.
std::string_view undumpable(const std::string& link) {
  if (link == "anon_inode:[io_uring]") return "an io_uring";
  if (link == "anon_inode:[userfaultfd]") return "a userfaultfd";
  return {};
}

// What a descriptor stands for; empty if it has been closed since it was listed.
std::string target_of(const WalkEntry& entry) try {
  return read_link_at(entry.parent, entry.name);
} catch (const Error& error) {
  if (error.error_number() == ENOENT || error.error_number() == ESRCH) return {};
  throw;
}

void refuse_descriptors(pid_t pid) {
  const auto directory = open_if_exists(formatted("/proc/{}/fd", pid), O_RDONLY | O_DIRECTORY);
  if (!directory) return;  // the process has ended
  walk_tree(*directory, {}, [pid](const WalkEntry& entry) {
    const std::string_view resource = undumpable(target_of(entry));
    if (resource.empty()) return;
    throw Error(ErrorKind::kUnsupported,
                formatted("process {} ({}) uses {}, which CRIU cannot dump", pid, command_of(pid),
                          resource),
                "switch it off in the program's configuration");
  });
}

// The second number of /proc/PID/statm: resident pages.
uint64_t resident_bytes(pid_t pid) {
  const auto statm = read_file_if_exists(formatted("/proc/{}/statm", pid));
  const auto fields = split(statm.value_or(""), ' ');
  const auto pages = fields.size() > 1 ? parse_integer(fields[1]) : std::nullopt;
  return static_cast<uint64_t>(pages.value_or(0)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

uint64_t check_processes(const engine::Container& container) {
  refuse_executed(container);
  uint64_t memory_bytes = 0;
  for (const pid_t pid : container.processes()) {
    refuse_descriptors(pid);
    memory_bytes += resident_bytes(pid);
  }
  return memory_bytes;
}

void refuse_stopped(const engine::Container& container) {
  for (const pid_t pid : container.processes()) {
    if (!process_status_field(pid, "State").value_or("").starts_with("T")) continue;
    throw Error(ErrorKind::kUnsupported,
                formatted("process {} ({}) is stopped, and CRIU cannot dump such a one while "
                          "cgroup v1 freezes it",
                          pid, command_of(pid)),
                "let it go on first (SIGCONT)");
  }
}

}  // namespace still::checkpoint
