#include "memory/fork_copy.h"

#include <algorithm>
#include <atomic>
#include <future>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "criu/memory_images.h"
#include "memory/inert.h"
#include "memory/threads.h"
#include "os/files.h"
#include "os/maps.h"
#include "os/parallel.h"
#include "os/process.h"
#include "os/process_status.h"
#include "os/tasks.h"

namespace still::memory {
namespace {

constexpr std::chrono::seconds kEndTimeout{2};

bool has_ended(pid_t pid) { return !process_start_time(pid); }

// A process without an exit signal is one of ours: clone(2) of the C libraries always names one.
bool is_copy(pid_t pid) {
  const auto stat = process_stat(pid);
  return stat && stat->exit_signal == 0;
}

bool is_covered(AddressRange range, const std::vector<AddressRange>& by) {
  for (const auto& [start, end] : by) {
    if (start <= range.first && range.first < end) range.first = end;
  }
  return range.first >= range.second;
}

bool wait_for_end(pid_t pid) {
  const auto process = open_pidfd(pid);
  return !process || wait_for_exit(*process, deadline_in(kEndTimeout));
}

void make_expendable(pid_t child) {
  // The first to go, from the first page on that the container changes: it shall not pay for its
  // copy.
  write_control_file(formatted("/proc/{}/oom_score_adj", child), "1000");
}

}  // namespace

std::vector<pid_t> inner_pids(const std::vector<pid_t>& processes) {
  std::vector<pid_t> inner;
  for (const pid_t pid : processes) {
    if (const pid_t number = inner_pid(pid)) inner.push_back(number);
  }
  return inner;
}

ForkCopy::ForkCopy() : shares_(processor_count()) {}

ForkCopy::~ForkCopy() {
  try {
    let_go();
  } catch (const std::exception& error) {
    log(LogLevel::kError, error.what());
  }
  end();
}

void ForkCopy::in_shares(const std::function<void(Share&)>& work) {
  std::vector<std::future<void>> running;
  running.reserve(shares_.size());
  for (Share& share : shares_) running.push_back(share.tracer.start([&] { work(share); }));
  for (auto& one : running) one.wait();
  for (auto& one : running) one.get();
}

void ForkCopy::prepare(const std::vector<pid_t>& processes) {
  for (const pid_t pid : processes) {
    try {
      if (has_ended(pid)) continue;
      landings_.find(pid, read_address_map(pid));
      // "dc" is not there at all in a fork, "wf" is there and zero.
      expected_not_in_fork_[pid] = mappings_with_flags(pid, {"dc", "wf"});
    } catch (const Error& error) {
      // The process has ended, or is about to.
      log(LogLevel::kDebug, error.message());
    }
  }
}

void ForkCopy::hold(const std::vector<pid_t>& processes, const std::filesystem::path& images,
                    const std::vector<pid_t>& beside) {
  std::atomic<size_t> next = 0;
  in_shares([&](Share& share) {
    for (size_t i = next++; i < processes.size(); i = next++) {
      if (has_ended(processes[i])) continue;
      share.processes.push_back(hold_process(processes[i], images));
    }
  });
  Share& first = shares_.front();
  first.tracer.run([&] {
    for (const pid_t pid : beside)
      std::ranges::move(seize_threads(pid), std::back_inserter(first.beside));
  });
  for (const Share& share : shares_) {
    for (const Process& held : share.processes) {
      alternate_stacks_[held.pid] = held.alternate_stack;
    }
  }
}

std::vector<AddressRange> ForkCopy::expected_not_in_fork(pid_t pid) const {
  const auto found = expected_not_in_fork_.find(pid);
  return found == expected_not_in_fork_.end() ? std::vector<AddressRange>() : found->second;
}

ForkCopy::Process ForkCopy::hold_process(pid_t pid, const std::filesystem::path& images) const {
  Process process{.pid = pid,
                  .image_pid = inner_pid(pid),
                  .threads = {},
                  .map = {},
                  .alternate_stack = {},
                  .not_in_fork = {}};
  if (!criu::has_page_map(images, process.image_pid)) {
    throw Error(ErrorKind::kUnsupported,
                formatted("the images know no process {} ({})", process.image_pid, pid));
  }
  process.threads = seize_threads(pid);
  process.map = read_address_map(pid);
  process.alternate_stack = criu::read_alternate_stack(images, process.image_pid);
  // CRIU's images do not know all of it, and to ask the kernel now would take too long: see keep().
  std::vector<AddressRange> not_in_fork = expected_not_in_fork(pid);
  for (const criu::Mapping& mapping : criu::read_mappings(images, process.image_pid)) {
    if (mapping.not_in_fork) not_in_fork.emplace_back(mapping.start, mapping.end);
  }
  if (not_in_fork.empty()) return process;
  for (const criu::PageRange& range : criu::read_page_map(images, process.image_pid).ranges) {
    if (!range.is_missing()) continue;
    for (const auto& [from, to] : not_in_fork) {
      const uint64_t start = std::max(from, range.address);
      const uint64_t end = std::min(to, range.end());
      if (start < end) process.not_in_fork.emplace_back(start, end);
    }
  }
  return process;
}

void ForkCopy::take(Deadline deadline) {
  in_shares([&](Share& share) {
    std::vector<Tracee*> all;
    for (Process& process : share.processes) {
      for (Tracee& thread : process.threads) all.push_back(&thread);
    }
    for (Tracee& thread : share.beside) all.push_back(&thread);
    Tracee::wait_until_stopped(std::move(all), deadline);
    for (Process& process : share.processes) {
      std::erase_if(process.threads, &Tracee::has_ended);
      share.copies.push_back(take_process(process, deadline));
    }
  });
  for (const Share& share : shares_) {
    copies_.insert(copies_.end(), share.copies.begin(), share.copies.end());
  }
}

Copy ForkCopy::take_process(Process& process, Deadline deadline) {
  if (process.threads.empty()) {
    throw Error(ErrorKind::kConflict, formatted("process {} has ended", process.pid));
  }
  Copy copy{.process = process.image_pid,
            .parent = process.pid,
            .child = 0,
            .corrections = {},
            .system_call = 0,
            .scratch = 0};
  for (const auto& [start, end] : process.not_in_fork) {
    copy.corrections.push_back(save(process.pid, start, end - start));
  }
  const auto landing = landings_.find(process.pid, process.map);
  if (!landing) {
    throw Error(ErrorKind::kUnsupported,
                formatted("process {} has no code for a system call of ours", process.pid));
  }
  Injection injection(process.threads.front(), *landing, process.map, process.alternate_stack);
  copy.child = injection.fork(deadline);
  make_expendable(copy.child);
  copy.corrections.push_back(injection.overwritten());
  copy.system_call = landing->system_call;
  copy.scratch = injection.overwritten().address;
  return copy;
}

void ForkCopy::let_go() {
  in_shares([](Share& share) {
    share.processes.clear();
    share.beside.clear();
  });
}

void ForkCopy::keep(Deadline deadline) {
  in_shares([&](Share& share) {
    for (const Copy& copy : share.copies) {
      Tracee& child = share.children.emplace_back(Tracee::adopt(copy.child, deadline));
      make_inert(child, copy.system_call, copy.scratch, deadline);
    }
    for (Copy& copy : share.copies) {
      const auto expected = expected_not_in_fork(copy.parent);
      copy.wiped = mappings_with_flags(copy.child, {"wf"});
      for (const AddressRange& wiped : copy.wiped) {
        if (is_covered(wiped, expected)) continue;
        throw Error(ErrorKind::kConflict,
                    formatted("process {} has just asked for memory to be wiped on fork ({:#x})",
                              copy.process, wiped.first));
      }
    }
  });
  copies_.clear();
  for (const Share& share : shares_) {
    copies_.insert(copies_.end(), share.copies.begin(), share.copies.end());
  }
}

// One after the other: copies whose parents have ended have one parent now, and only one can hold
// it.
void ForkCopy::end() noexcept {
  try {
    for (Share& share : shares_) {
      share.tracer.run([&] {
        for (const Copy& copy : share.copies) share.end_copy(copy, *this);
        share.children.clear();
        share.copies.clear();
      });
    }
    copies_.clear();
  } catch (const std::exception& error) {
    log(LogLevel::kError, error.what());
  }
}

void ForkCopy::Share::end_copy(const Copy& copy, ForkCopy& all) try {
  const auto stat = process_stat(copy.child);
  const pid_t parent = stat ? stat->parent : 0;
  if (parent == 0) return;
  // The end of gigabytes takes its time, and the process can go on meanwhile: it is not told. One
  // that has the child because its parent has ended is told, unless it stands still.
  if (parent == copy.parent) Tracee::end(copy.child);
  std::vector<Tracee> threads = stop_threads(parent, deadline_in(kEndTimeout));
  Tracee::end(copy.child);
  // From here on whoever waits for children of every kind could collect it, did it not stand still.
  Tracee::kill(copy.child);
  all.reap(threads, parent, copy.child);
} catch (const Error& error) {
  log(LogLevel::kWarning, error.message());
}

void ForkCopy::reap(std::vector<Tracee>& parent_threads, pid_t parent, pid_t child) {
  if (parent_threads.empty()) return;  // it has ended, and the child goes with its reaper
  const auto map = read_address_map(parent);
  const auto landing = landings_.find(parent, map);
  if (!landing) return;
  Injection(parent_threads.front(), *landing, map, alternate_stacks_[parent])
      .reap(inner_pid(child), deadline_in(kEndTimeout));
}

size_t ForkCopy::collect_abandoned(const std::vector<pid_t>& processes,
                                   const std::filesystem::path& images) {
  const auto dumped = criu::read_processes(images);
  ForkCopy left;
  size_t collected = 0;
  left.shares_.front().tracer.run([&] {
    for (const pid_t parent : processes) {
      for (const pid_t child : children_of(parent)) {
        if (!is_copy(child) ||
            std::ranges::contains(dumped, inner_pid(child), &criu::DumpedProcess::pid)) {
          continue;
        }
        // What holds gigabytes takes its time to end. One that does not is none of ours after all.
        if (!wait_for_end(child)) continue;
        try {
          left.alternate_stacks_[parent] = criu::read_alternate_stack(images, inner_pid(parent));
          auto threads = stop_threads(parent, deadline_in(kEndTimeout));
          left.reap(threads, parent, child);
          ++collected;
        } catch (const Error& error) {
          log(LogLevel::kWarning, error.message());
        }
      }
    }
  });
  return collected;
}

}  // namespace still::memory
