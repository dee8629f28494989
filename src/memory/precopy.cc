#include "memory/precopy.h"

#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/hooks.h"
#include "base/log.h"
#include "memory/direct_access.h"
#include "memory/fork_copy.h"
#include "memory/remote_memory.h"
#include "memory/tracer.h"
#include "os/tasks.h"

namespace still::memory {
namespace {

// A round takes this long at least: less is not worth one more.
constexpr uint64_t kLittleBytes = uint64_t{2} << 20;
constexpr int kMostRounds = 6;
// A round that has not less than this part of the one before is the last one.
constexpr double kWorthwhile = 0.7;

// To fork a process takes some time, and more with its page tables; in that time so much is copied.
constexpr uint64_t kForkBytes = uint64_t{24} << 20;
constexpr double kForkPart = 0.08;  // of all its memory: 30 ms/GiB, at 2.7 GiB/s

constexpr uint64_t kMostReserve = uint64_t{512} << 20;

int compare_descriptor_tables(pid_t one, pid_t other) {
  return static_cast<int>(::syscall(SYS_kcmp, one, other, KCMP_FILES, 0, 0));
}

// Others that share the table of descriptors with one that is stopped would see ours in it.
std::vector<pid_t> with_own_descriptors(std::vector<pid_t> processes) {
  std::ranges::sort(
      processes, [](pid_t one, pid_t other) { return compare_descriptor_tables(one, other) == 1; });
  std::vector<pid_t> own;
  for (size_t i = 0; i < processes.size(); ++i) {
    const bool as_before = i > 0 && compare_descriptor_tables(processes[i - 1], processes[i]) == 0;
    const bool as_next =
        i + 1 < processes.size() && compare_descriptor_tables(processes[i], processes[i + 1]) == 0;
    if (!as_before && !as_next) own.push_back(processes[i]);
  }
  return own;
}

void add_own_pages(pid_t process, const PrivateMapping& mapping, std::vector<PageRun>& pages) {
  for (const PageRun& run : own_pages(process, mapping.pages)) append(pages, run);
}

void write_page_list(const std::filesystem::path& images, pid_t process,
                     std::vector<PageRun> pages) {
  auto map = criu::read_page_map(images, process);
  for (const PageRun& run : pages) {
    map.ranges.push_back({.address = run.address, .pages = run.pages, .flags = criu::kInParent});
  }
  std::ranges::sort(map.ranges, {}, &criu::PageRange::address);
  criu::write_page_map(images, process, map);
}

class PrecopySnapshot : public Snapshot {
 public:
  PrecopySnapshot(pid_t process, const PageStore& store, std::unique_ptr<Snapshot> rest)
      : Snapshot(process), store_(store), rest_(std::move(rest)) {}

  void read(uint64_t address, std::byte* to, size_t size) const override {
    while (size > 0) {
      const int64_t got = store_.read(address, to, size);
      const auto bytes = static_cast<size_t>(got < 0 ? -got : got);
      if (got < 0) read_rest(address, to, bytes);
      address += bytes;
      to += bytes;
      size -= bytes;
    }
  }

 private:
  void read_rest(uint64_t address, std::byte* to, size_t size) const {
    if (rest_ == nullptr) {
      throw Error(
          ErrorKind::kConflict,
          formatted("the memory of process {} at {:#x} was not copied", process(), address));
    }
    rest_->read(address, to, size);
  }

  const PageStore& store_;
  const std::unique_ptr<Snapshot> rest_;
};

// Leaves protection empty if the process cannot be protected. False: it did not stop in time.
bool protect(pid_t process, Landings& landings, std::optional<Protection>& protection) try {
  // Its end lets go of threads that have not stopped in time, and of those that are ending.
  Tracer tracer;
  tracer.run([&] { protection.emplace(Protection::open(process, landings)); });
  return true;
} catch (const Error& error) {
  if (error.kind() == ErrorKind::kInternal) throw;
  log(LogLevel::kInfo, error.message());
  return error.kind() != ErrorKind::kTimeout;
}

}  // namespace

Precopy::Precopy(const std::filesystem::path& directory, std::optional<pid_t> first)
    : file_(directory / "pages") {
  if (first) shared_.emplace(*first, file_);
}

Precopy::~Precopy() {
  if (last_.valid()) last_.wait();
  release();
}

Precopy::Process* Precopy::find(pid_t process) const {
  const auto found =
      std::ranges::find_if(processes_, [&](const auto& one) { return one->pid == process; });
  return found == processes_.end() ? nullptr : found->get();
}

void Precopy::start(const std::vector<pid_t>& processes, const std::function<void()>& poll) {
  for (const pid_t pid : with_own_descriptors(processes)) {
    poll();
    auto process = std::make_unique<Process>(pid, file_);
    // On a busy machine its threads may take longer: once more.
    if (!protect(pid, landings_, process->protection)) protect(pid, landings_, process->protection);
    if (process->protection) processes_.push_back(std::move(process));
  }
  if (shared_) shared_->find_descriptors(processes);
  last_round_bytes_ = round(poll);
}

uint64_t Precopy::round(const std::function<void()>& poll) {
  uint64_t bytes = 0;
  for (const auto& process : processes_) {
    poll();
    try {
      process->protection->cover();
      // What is read directly has its descriptor open before or after.
      look_for_direct_access(*process);
      // Noted anew before it is copied: what is written to meanwhile is copied again.
      const auto changes = process->protection->take_written();
      look_for_direct_access(*process);
      process->store.copy(RemoteMemory(process->pid), changes);
      bytes += total_bytes(changes.written);
    } catch (const Error& error) {
      log(LogLevel::kInfo, error.message());  // it has ended, or is about to
    }
  }
  if (!shared_) return bytes;
  poll();
  std::vector<SharedMemory::Mapper> mappers;
  for (const auto& process : processes_) mappers.push_back({process->pid, *process->protection});
  return bytes + shared_->round(mappers);
}

void Precopy::catch_up(const std::function<void()>& poll) {
  for (int i = 0; i < kMostRounds && last_round_bytes_ > kLittleBytes; ++i) {
    const uint64_t before = std::exchange(last_round_bytes_, round(poll));
    if (static_cast<double>(last_round_bytes_) > kWorthwhile * static_cast<double>(before)) break;
  }
  if (shared_) {
    if (shared_->is_behind()) last_round_bytes_ = round(poll);
    shared_->get_ready();
  }
  // Twice what was written in the last round, and what CRIU touches.
  reserve_.emplace(std::min(2 * last_round_bytes_ + 4 * kLittleBytes, kMostReserve));
}

void Precopy::begin_last(const std::vector<pid_t>& processes, const std::vector<pid_t>& beside) {
  unknown_.clear();
  std::vector<Process*> known;
  for (const pid_t pid : processes) {
    const pid_t image_pid = inner_pid(pid);
    if (image_pid == 0) continue;  // killed, though it stands still
    if (Process* process = find(pid); process != nullptr) {
      process->image_pid = image_pid;
      known.push_back(process);
    } else {
      unknown_.push_back({.pid = pid, .image_pid = image_pid, .pages = {}});
    }
  }
  if (shared_) shared_->begin_last();
  auto all = processes;
  all.insert(all.end(), beside.begin(), beside.end());
  last_ = std::async(std::launch::async, [this, known, processes, all] {
    for (Process* process : known) copy_last(*process);
    if (shared_) shared_->copy_last(all, processes);
  });
}

void Precopy::look_for_direct_access(Process& process) {
  if (process.is_uncertain || !reads_directly(process.pid)) return;
  process.is_uncertain = true;
  if (shared_) shared_->expect_unseen_writes();
}

void Precopy::copy_last(Process& process) {
  if (process.is_uncertain) {
    process.is_incomplete = true;
    process.store.forget(process.store.stored());
    return;
  }
  process.last = process.protection->take_written();
  if (hooks::last_copy_is_off()) process.last = {};
  const auto bytes = static_cast<double>(total_bytes(process.last.written));
  const auto all = static_cast<double>(process.store.stored_bytes());
  process.is_incomplete =
      bytes > static_cast<double>(kForkBytes) + kForkPart * all ||
      !process.store.copy_quickly(RemoteMemory(process.pid), process.last, *reserve_);
}

std::vector<pid_t> Precopy::end_last() {
  last_.get();
  std::vector<pid_t> incomplete;
  for (const auto& process : processes_) {
    if (process->image_pid == 0) continue;
    end_last(*process);
    if (process->is_incomplete) incomplete.push_back(process->pid);
  }
  for (Unknown& process : unknown_) {
    for (const PrivateMapping& mapping : private_mappings(process.pid)) {
      add_own_pages(process.pid, mapping, process.pages);
    }
    incomplete.push_back(process.pid);
  }
  return incomplete;
}

void Precopy::end_last(Process& process) {
  const RemoteMemory memory(process.pid);
  const auto touched = written_pages(process.pid);
  process.is_incomplete = process.is_incomplete || total_bytes(touched.written) > kForkBytes ||
                          !process.store.copy_quickly(memory, touched, *reserve_);
  const auto mappings = private_mappings(process.pid);
  Changes unclear;
  for (const PrivateMapping& mapping : mappings) {
    if (!mapping.is_of_file) continue;
    for (const PageRun& run : swapped_pages(process.pid, mapping.pages))
      append(unclear.written, run);
  }
  process.is_incomplete =
      process.is_incomplete || !process.store.copy_quickly(memory, unclear, *reserve_);
  if (process.is_incomplete) {
    process.store.forget(process.last.written);
    process.store.forget(touched.written);
    process.store.forget(unclear.written);
  }
  for (const PrivateMapping& mapping : mappings) {
    if (process.is_incomplete || mapping.is_of_file) {
      add_own_pages(process.pid, mapping, process.pages);
    } else {
      process.anonymous.push_back(mapping.pages);
    }
  }
}

void Precopy::list_pages(const std::filesystem::path& images) const {
  for (const Unknown& process : unknown_) write_page_list(images, process.image_pid, process.pages);
  for (const auto& process : processes_) {
    if (process->image_pid == 0) continue;
    auto pages = common_pages(process->store.stored(), process->anonymous);
    pages.insert(pages.end(), process->pages.begin(), process->pages.end());
    write_page_list(images, process->image_pid, std::move(pages));
  }
}

void Precopy::release() {
  for (const auto& process : processes_) {
    if (!process->protection) continue;
    process->protection->release();
    process->protection.reset();
  }
}

Snapshots Precopy::snapshots(Snapshots copies) const {
  Snapshots snapshots;
  for (const auto& process : processes_) {
    if (process->image_pid == 0) continue;
    const auto rest = std::ranges::find(copies, process->image_pid,
                                        [](const auto& one) { return one->process(); });
    std::unique_ptr<Snapshot> copy;
    if (rest != copies.end()) {
      copy = std::move(*rest);
      copies.erase(rest);
    }
    snapshots.push_back(
        std::make_unique<PrecopySnapshot>(process->image_pid, process->store, std::move(copy)));
  }
  std::ranges::move(copies, std::back_inserter(snapshots));
  return snapshots;
}

}  // namespace still::memory
