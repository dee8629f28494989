#include "memory/protection.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <thread>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "memory/injection.h"
#include "memory/threads.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/maps.h"
#include "os/process_status.h"
#include "os/tasks.h"

namespace still::memory {
namespace {

// The process stands still meanwhile, and one of its threads may be where it cannot stop.
constexpr std::chrono::milliseconds kStopTimeout{100};
// Once it has stopped only the machine can keep it waiting.
constexpr std::chrono::seconds kCallTimeout{10};
// The call holds the lock of the address space: at most for some 1.5 ms.
constexpr uint64_t kPieceBytes = uint64_t{64} << 20;
// What programs can have: the last page is left free (TASK_SIZE_MAX of x86-64).
constexpr uint64_t kAddressSpace = (uint64_t{1} << 47) - criu::kPageSize;

using Range = std::pair<uint64_t, uint64_t>;  // addresses, the end outside

// CRIU's images have the content of this mapping, which is the kernel's and never changes.
constexpr std::string_view kVdso = "[vdso]";

// Not of the kernel itself ("[vvar]", "[vsyscall]"), nor of a device.
bool is_memory(const MapsLine& mapping) {
  return !mapping.name.starts_with("[v") &&
         (!mapping.name.starts_with("/dev/") || mapping.name.starts_with("/dev/zero"));
}

std::vector<MapsLine> mappings_of(pid_t process) {
  std::vector<MapsLine> mappings;
  const auto text = read_file_if_exists(formatted("/proc/{}/maps", process));
  for (const std::string& line : split(text.value_or(""), '\n')) {
    auto mapping = parse_maps_line(line);
    if (!mapping || mapping->permissions[3] != 'p') continue;
    if (is_memory(*mapping) || mapping->name == kVdso) mappings.push_back(std::move(*mapping));
  }
  return mappings;
}

// Of the file system that the kernel has for memory that processes share.
dev_t shared_memory_device() {
  static const dev_t device = [] {
    const int file = ::memfd_create("still", MFD_CLOEXEC);
    if (file < 0) throw Error::system(errno, "cannot make shared memory");
    return stat_fd(Fd(file)).st_dev;
  }();
  return device;
}

void register_range(const Fd& userfault, const PageRun& range) {
  uffdio_register wish{};
  wish.range = {.start = range.address, .len = range.bytes()};
  wish.mode = UFFDIO_REGISTER_MODE_WP;
  ::ioctl(userfault.get(), UFFDIO_REGISTER, &wish);
}

// In pieces, so that the process is not held up.
template <typename Work>
void for_each_piece(const PageRun& range, const Work& work) {
  for (uint64_t at = range.address; at < range.end(); at += kPieceBytes) {
    work(run_between(at, std::min(range.end(), at + kPieceBytes)));
  }
}

struct Question {
  uint64_t flags = 0;     // PM_SCAN_...
  uint64_t inverted = 0;  // PAGE_IS_...
  uint64_t all_of = PAGE_IS_WRITTEN;
  uint64_t any_of = 0;
};
// What is noted as not written is passed over quickly, and what is not there at all is "written".
constexpr Question kPerhapsWritten;
// Of content of its own.
constexpr Question kWritten{.flags = 0,
                            .inverted = PAGE_IS_FILE | PAGE_IS_PFNZERO,
                            .all_of = PAGE_IS_WRITTEN | PAGE_IS_FILE | PAGE_IS_PFNZERO,
                            .any_of = PAGE_IS_PRESENT | PAGE_IS_SWAPPED};
constexpr Question kOwn{.flags = 0,
                        .inverted = kWritten.inverted,
                        .all_of = PAGE_IS_FILE | PAGE_IS_PFNZERO,
                        .any_of = kWritten.any_of};
constexpr Question kSwapped{.flags = 0,
                            .inverted = PAGE_IS_PRESENT,
                            .all_of = PAGE_IS_SWAPPED | PAGE_IS_PRESENT,
                            .any_of = 0};
// Pages, and places for pages, that are noted as not written: what is not there at all, or whose
// note is lost, is not among them.
constexpr Question kStillProtected{.flags = 0,
                                   .inverted = PAGE_IS_WRITTEN,
                                   .all_of = PAGE_IS_WRITTEN,
                                   .any_of = PAGE_IS_PRESENT | PAGE_IS_SWAPPED};
constexpr Question kPresent{.flags = 0, .inverted = 0, .all_of = PAGE_IS_PRESENT, .any_of = 0};
constexpr Question kTakeWritten{.flags = PM_SCAN_WP_MATCHING,
                                .inverted = kWritten.inverted,
                                .all_of = kWritten.all_of,
                                .any_of = kWritten.any_of};

void ask(const Fd& pagemap, Range range, const Question& question, std::vector<PageRun>& found) {
  std::array<page_region, 4096> regions;
  pm_scan_arg arguments{};
  arguments.size = sizeof arguments;
  arguments.flags = question.flags;
  arguments.vec = std::bit_cast<uint64_t>(regions.data());
  arguments.vec_len = regions.size();
  arguments.category_inverted = question.inverted;
  arguments.category_mask = question.all_of;
  arguments.category_anyof_mask = question.any_of;
  arguments.return_mask = PAGE_IS_WRITTEN;
  arguments.end = range.second;
  for (uint64_t start = range.first; start < range.second; start = arguments.walk_end) {
    arguments.start = start;
    const int count = ::ioctl(pagemap.get(), PAGEMAP_SCAN, &arguments);
    if (count < 0 && errno == EINTR) {
      arguments.walk_end = start;
      continue;
    }
    if (count < 0) throw Error::system(errno, "cannot ask which pages are written");
    for (int i = 0; i < count; ++i) append(found, run_between(regions[i].start, regions[i].end));
    if (arguments.walk_end <= start) return;  // the process has ended
  }
}

void find_written(const Fd& pagemap, Range range, const Question& question, Changes& changes) {
  std::vector<PageRun> perhaps;
  ask(pagemap, range, kPerhapsWritten, perhaps);
  for (const PageRun& run : perhaps) {
    ask(pagemap, {run.address, run.end()}, question, changes.written);
    append(changes.looked_at, run);
  }
}

std::optional<Fd> open_pagemap(pid_t process) {
  return open_if_exists(formatted("/proc/{}/pagemap", process), O_RDONLY);
}

std::vector<PageRun> answer(pid_t process, const PageRun& range, const Question& question) {
  std::vector<PageRun> pages;
  const auto pagemap = open_pagemap(process);
  if (pagemap) ask(*pagemap, {range.address, range.end()}, question, pages);
  return pages;
}

void start_interface(const Fd& userfault) {
  uffdio_api interface{};
  interface.api = UFFD_API;
  interface.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_ASYNC;
  if (::ioctl(userfault.get(), UFFDIO_API, &interface) == 0) return;
  throw Error(ErrorKind::kUnsupported,
              "the kernel has no asynchronous write protection (Linux 6.7 has it)");
}

// Neither in a stop for a signal, nor where it cannot be stopped: in a wait for a child of
// vfork(2), or for a disk. That one is over in milliseconds.
void require_running(pid_t process) {
  const Deadline deadline = deadline_in(kStopTimeout);
  for (const pid_t thread : threads_of(process)) {
    for (;;) {
      const auto stat = process_stat(thread);
      if (!stat || stat->state == 'R' || stat->state == 'S') break;
      if (stat->state != 'D' || is_past(deadline)) {
        throw Error(ErrorKind::kUnsupported, formatted("task {} does not run just now", thread));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

}  // namespace

Protection Protection::open(pid_t process, Landings& landings) {
  require_running(process);
  const AddressMap map = read_address_map(process);
  const auto landing = landings.find(process, map);
  if (!landing) {
    throw Error(ErrorKind::kUnsupported,
                formatted("process {} has no code for a system call of ours", process));
  }
  auto threads = stop_threads(process, deadline_in(kStopTimeout));
  // Where an alternate stack is, only CRIU's images know, and there are none yet.
  const auto is_on_its_stack = [&](uint64_t rsp) {
    return rsp > map.stack_start && rsp < map.stack_end;
  };
  if (threads.empty() || threads.front().tid() != process ||
      !is_on_its_stack(threads.front().registers().rsp)) {
    throw Error(ErrorKind::kUnsupported,
                formatted("the first thread of process {} is not on its own stack", process));
  }
  Injection injection(threads.front(), *landing, map, {});
  Fd userfault = injection.open_userfaultfd(deadline_in(kCallTimeout));
  start_interface(userfault);
  return {process, std::move(userfault)};
}

void Protection::cover() const {
  for (const PrivateMapping& mapping : private_mappings(process_)) {
    register_range(userfault_, mapping.pages);
  }
  for (const SharedMapping& mapping : shared_mappings(process_)) {
    register_range(userfault_, mapping.pages);
  }
}

std::vector<PageRun> Protection::take_unprotected(const PageRun& range) const {
  const auto unprotected = unprotected_pages(process_, range);
  for (const PageRun& run : unprotected) {
    for_each_piece(run, [&](const PageRun& piece) {
      uffdio_writeprotect wish{};
      wish.range = {.start = piece.address, .len = piece.bytes()};
      wish.mode = UFFDIO_WRITEPROTECT_MODE_WP;
      ::ioctl(userfault_.get(), UFFDIO_WRITEPROTECT, &wish);  // else it stays without
    });
  }
  return unprotected;
}

Changes Protection::take_written() const {
  Changes changes;
  const auto pagemap = open_pagemap(process_);
  if (!pagemap) return changes;
  for (const MapsLine& mapping : mappings_of(process_)) {
    if (mapping.name == kVdso) append(changes.written, run_between(mapping.start, mapping.end));
    for (uint64_t at = mapping.start; at < mapping.end; at += kPieceBytes) {
      const uint64_t end = std::min(mapping.end, at + kPieceBytes);
      find_written(*pagemap, {at, end}, kTakeWritten, changes);
    }
  }
  return changes;
}

void Protection::release() const noexcept try {
  const auto end = [&](const PageRun& mapping) {
    for_each_piece(mapping, [&](const PageRun& piece) {
      uffdio_range range{.start = piece.address, .len = piece.bytes()};
      ::ioctl(userfault_.get(), UFFDIO_UNREGISTER, &range);
    });
  };
  for (const PrivateMapping& mapping : private_mappings(process_)) end(mapping.pages);
  for (const SharedMapping& mapping : shared_mappings(process_)) end(mapping.pages);
} catch (const std::exception&) {
  // The end of the descriptor does it.
}

Changes written_pages(pid_t process) {
  Changes changes;
  const auto pagemap = open_pagemap(process);
  if (pagemap) find_written(*pagemap, {0, kAddressSpace}, kWritten, changes);
  return changes;
}

std::vector<PrivateMapping> private_mappings(pid_t process) {
  std::vector<PrivateMapping> mappings;
  for (const MapsLine& mapping : mappings_of(process)) {
    if (mapping.name == kVdso) continue;
    mappings.push_back(
        {.pages = run_between(mapping.start, mapping.end), .is_of_file = mapping.inode != 0});
  }
  return mappings;
}

std::vector<SharedMapping> shared_mappings(pid_t process) {
  std::vector<SharedMapping> mappings;
  const dev_t number = shared_memory_device();
  const std::string device = formatted("{:02x}:{:02x}", major(number), minor(number));
  const auto text = read_file_if_exists(formatted("/proc/{}/maps", process));
  for (const std::string& line : split(text.value_or(""), '\n')) {
    auto mapping = parse_maps_line(line);
    if (!mapping || mapping->permissions[3] != 's' || mapping->device != device) continue;
    mappings.push_back({.pages = run_between(mapping->start, mapping->end),
                        .offset = mapping->offset,
                        .inode = mapping->inode,
                        .name = std::move(mapping->name)});
  }
  return mappings;
}

bool is_shared_memory(const std::string& link) {
  struct stat status{};
  return ::stat(link.c_str(), &status) == 0 && status.st_dev == shared_memory_device();
}

std::vector<PageRun> unprotected_pages(pid_t process, const PageRun& range) {
  return pages_without({range}, answer(process, range, kStillProtected));
}

std::vector<PageRun> present_pages(pid_t process, const PageRun& range) {
  return answer(process, range, kPresent);
}

std::vector<PageRun> own_pages(pid_t process, const PageRun& range) {
  return answer(process, range, kOwn);
}

std::vector<PageRun> swapped_pages(pid_t process, const PageRun& range) {
  return answer(process, range, kSwapped);
}

}  // namespace still::memory
