#include "memory/fork_copy.h"

#include <algorithm>
#include <format>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "oci/criu_memory.h"
#include "os/files.h"
#include "os/process.h"
#include "os/process_status.h"

namespace still::memory {
namespace {

constexpr std::chrono::seconds kEndTimeout{2};

// Empty if it has ended.
std::vector<pid_t> threads_of(pid_t pid) {
  std::vector<pid_t> threads;
  std::error_code ended;
  std::filesystem::directory_iterator entry(std::format("/proc/{}/task", pid), ended);
  for (; !ended && entry != std::filesystem::directory_iterator(); entry.increment(ended)) {
    if (const auto tid = parse_integer(entry->path().filename().native())) {
      threads.push_back(static_cast<pid_t>(*tid));
    }
  }
  std::ranges::sort(threads);
  // The first one of the process, if it has not ended, knows its stack.
  const auto leader = std::ranges::find(threads, pid);
  if (leader != threads.end()) std::rotate(threads.begin(), leader, leader + 1);
  return threads;
}

// The last number of a field of /proc/PID/status; 0 if the process has ended.
pid_t status_number(pid_t pid, std::string_view name) {
  const std::string field = process_status_field(pid, name).value_or("0");
  return static_cast<pid_t>(parse_integer(trim(field.substr(field.rfind('\t') + 1))).value_or(0));
}

// The pid of a process in its own pid namespace.
pid_t inner_pid(pid_t pid) { return status_number(pid, "NSpid"); }

bool has_ended(pid_t pid) { return !process_start_time(pid); }

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  for (const pid_t tid : threads_of(pid)) {
    const auto text =
        read_file_if_exists(std::format("/proc/{}/task/{}/children", pid, tid)).value_or("");
    for (const std::string& word : split(text, ' ')) {
      if (const auto child = parse_integer(word)) children.push_back(static_cast<pid_t>(*child));
    }
  }
  return children;
}

// A process without an exit signal is one of ours: clone(2) of the C libraries always names one.
bool is_copy(pid_t pid) {
  constexpr size_t kExitSignal = 38 - 3;  // proc_pid_stat(5), counted from the third field
  const std::string stat = read_file_if_exists(std::format("/proc/{}/stat", pid)).value_or("");
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return false;
  const auto fields = split(std::string_view(stat).substr(name_end + 2), ' ');
  return fields.size() > kExitSignal && fields[kExitSignal] == "0";
}

using Range = std::pair<uint64_t, uint64_t>;  // addresses, the end outside

// What a fork does not carry over with its content (VmFlags of proc_pid_smaps(5)): "dc" is not
// there at all, "wf" is there and zero. In the order of addresses. Takes its time with much memory.
std::vector<Range> mappings_with_flags(pid_t pid, const std::vector<std::string>& flags) {
  std::vector<Range> found;
  Range current;
  const std::string text = read_file_if_exists(std::format("/proc/{}/smaps", pid)).value_or("");
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

bool is_covered(Range range, const std::vector<Range>& by) {
  for (const auto& [start, end] : by) {
    if (start <= range.first && range.first < end) range.first = end;
  }
  return range.first >= range.second;
}

bool wait_for_end(pid_t pid, Deadline deadline) {
  const auto process = open_pidfd(pid);
  return !process || wait_for_exit(*process, deadline);
}

void make_expendable(pid_t child) {
  // The first to go: the container shall not pay for its copy.
  write_control_file(std::format("/proc/{}/oom_score_adj", child), "1000");
}

}  // namespace

std::vector<pid_t> inner_pids(const std::vector<pid_t>& processes) {
  std::vector<pid_t> inner;
  for (const pid_t pid : processes) {
    if (const pid_t number = inner_pid(pid)) inner.push_back(number);
  }
  return inner;
}

ForkCopy::~ForkCopy() {
  try {
    tracer_.run([this] { processes_.clear(); });
  } catch (const std::exception& error) {
    log(LogLevel::kError, error.what());
  }
  end();
}

void ForkCopy::prepare(const std::vector<pid_t>& processes) {
  for (const pid_t pid : processes) {
    try {
      if (has_ended(pid)) continue;
      landings_.find(pid, read_address_map(pid));
      expected_not_in_fork_[pid] = mappings_with_flags(pid, {"dc", "wf"});
    } catch (const Error& error) {
      // It has ended, or is about to.
      log(LogLevel::kDebug, error.message());
    }
  }
}

void ForkCopy::hold(const std::vector<pid_t>& processes, const std::filesystem::path& images) {
  tracer_.run([&] {
    for (const pid_t pid : processes) {
      if (!has_ended(pid)) processes_.push_back(hold_process(pid, images));
    }
  });
}

ForkCopy::Process ForkCopy::hold_process(pid_t pid, const std::filesystem::path& images) {
  Process process{.pid = pid,
                  .image_pid = inner_pid(pid),
                  .threads = {},
                  .map = {},
                  .alternate_stack = {},
                  .not_in_fork = {}};
  if (!oci::has_page_map(images, process.image_pid)) {
    throw Error(ErrorKind::kUnsupported,
                std::format("the images know no process {} ({})", process.image_pid, pid));
  }
  for (const pid_t tid : threads_of(pid)) {
    if (auto thread = Tracee::seize(tid)) process.threads.push_back(std::move(*thread));
  }
  process.map = read_address_map(pid);
  process.alternate_stack = oci::read_alternate_stack(images, process.image_pid);
  alternate_stacks_[pid] = process.alternate_stack;
  // CRIU's images do not know all of it, and to ask the kernel now would take too long: see keep().
  std::vector<Range> not_in_fork = expected_not_in_fork_[pid];
  for (const oci::Mapping& mapping : oci::read_mappings(images, process.image_pid)) {
    if (mapping.not_in_fork) not_in_fork.emplace_back(mapping.start, mapping.end);
  }
  if (not_in_fork.empty()) return process;
  for (const oci::PageRange& range : oci::read_page_map(images, process.image_pid).ranges) {
    if (range.flags != oci::kInParent) continue;
    for (const auto& [from, to] : not_in_fork) {
      const uint64_t start = std::max(from, range.address);
      const uint64_t end = std::min(to, range.end());
      if (start < end) process.not_in_fork.emplace_back(start, end);
    }
  }
  return process;
}

void ForkCopy::take(Deadline deadline) {
  tracer_.run([&] {
    for (Process& process : processes_) {
      std::erase_if(process.threads,
                    [&](Tracee& thread) { return !thread.wait_until_stopped(deadline); });
    }
    for (Process& process : processes_) take_process(process, deadline);
  });
}

void ForkCopy::take_process(Process& process, Deadline deadline) {
  if (process.threads.empty()) {
    throw Error(ErrorKind::kConflict, std::format("process {} has ended", process.pid));
  }
  Copy copy{.process = process.image_pid, .parent = process.pid, .child = 0, .corrections = {}};
  for (const auto& [start, end] : process.not_in_fork) {
    copy.corrections.push_back(save(process.pid, start, end - start));
  }
  const auto landing = landings_.find(process.pid, process.map);
  if (!landing) {
    throw Error(ErrorKind::kUnsupported,
                std::format("process {} has no code for a system call of ours", process.pid));
  }
  Injection injection(process.threads.front(), *landing, process.map, process.alternate_stack);
  copy.child = injection.fork(deadline);
  copy.corrections.push_back(injection.overwritten());
  copies_.push_back(std::move(copy));
}

void ForkCopy::let_go() {
  tracer_.run([&] { processes_.clear(); });
}

void ForkCopy::keep(Deadline deadline) {
  tracer_.run([&] {
    for (const Copy& copy : copies_) {
      make_expendable(copy.child);
      children_.push_back(Tracee::adopt(copy.child, deadline));
      for (const Range& wiped : mappings_with_flags(copy.child, {"wf"})) {
        if (is_covered(wiped, expected_not_in_fork_[copy.parent])) continue;
        throw Error(ErrorKind::kConflict,
                    std::format("process {} has just asked for memory to be wiped on fork ({:#x})",
                                copy.process, wiped.first));
      }
    }
  });
}

void ForkCopy::end() noexcept {
  try {
    tracer_.run([&] {
      for (const Copy& copy : copies_) {
        try {
          const pid_t parent = status_number(copy.child, "PPid");
          if (parent != 0) collect(copy.child, parent, deadline_in(kEndTimeout));
        } catch (const Error& error) {
          log(LogLevel::kWarning, error.message());
        }
      }
      children_.clear();
      copies_.clear();
    });
  } catch (const std::exception& error) {
    log(LogLevel::kError, error.what());
  }
}

size_t ForkCopy::collect_abandoned(const std::vector<pid_t>& processes,
                                   const std::filesystem::path& images) {
  const auto dumped = oci::read_processes(images);
  ForkCopy left;
  size_t collected = 0;
  left.tracer_.run([&] {
    for (const pid_t parent : processes) {
      for (const pid_t child : children_of(parent)) {
        if (!is_copy(child) ||
            std::ranges::contains(dumped, inner_pid(child), &oci::DumpedProcess::pid)) {
          continue;
        }
        // What holds gigabytes takes its time to end. One that does not is none of ours after all.
        const Deadline deadline = deadline_in(kEndTimeout);
        if (!wait_for_end(child, deadline)) continue;
        try {
          left.alternate_stacks_[parent] = oci::read_alternate_stack(images, inner_pid(parent));
          left.collect(child, parent, deadline_in(kEndTimeout));
          ++collected;
        } catch (const Error& error) {
          log(LogLevel::kWarning, error.message());
        }
      }
    }
  });
  return collected;
}

// The parent stands still meanwhile: it may be another one than the one that was copied, because
// that has ended, and then it would be told of the child's end.
void ForkCopy::collect(pid_t child, pid_t parent, Deadline deadline) {
  const pid_t inner = inner_pid(child);
  std::vector<Tracee> threads;
  for (const pid_t tid : threads_of(parent)) {
    if (auto thread = Tracee::seize(tid)) threads.push_back(std::move(*thread));
  }
  std::erase_if(threads, [&](Tracee& thread) { return !thread.wait_until_stopped(deadline); });
  kill(child, deadline);
  if (threads.empty()) return;  // it has ended, and the child goes with its reaper
  const auto map = read_address_map(parent);
  const auto landing = landings_.find(parent, map);
  if (!landing) return;
  Injection(threads.front(), *landing, map, alternate_stacks_[parent]).reap(inner, deadline);
}

void ForkCopy::kill(pid_t child, Deadline deadline) {
  const auto held = std::ranges::find(children_, child, &Tracee::tid);
  if (held != children_.end()) {
    held->kill();
    children_.erase(held);
  } else if (!has_ended(child)) {
    Tracee::adopt(child, deadline).kill();
  }
}

}  // namespace still::memory
