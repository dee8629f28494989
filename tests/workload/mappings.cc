// A tree of processes whose memory is mapped in every way there is. All of it says the same number,
// which goes up: a picture of it that is not of one instant, or lacks a page, is seen at once. See
// --help.

#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "base/format.h"
#include "flags.h"
#include "processes.h"

namespace {

using workload::end_process;
using workload::kFailed;
using workload::kInconsistent;

constexpr size_t kPage = 4096;
const workload::Output kOutput{""};

template <typename Result>
Result check(Result result, const char* what) {
  if (result == Result(-1)) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

// Numbered memory: the first word of every page is the number, the last one the page's place for
// ever.
class Region {
 public:
  Region(std::string name, void* memory, size_t pages, bool writable = true)
      : name_(std::move(name)),
        memory_(static_cast<char*>(memory)),
        pages_(pages),
        writable_(writable) {}

  void stamp() const {
    for (size_t page = 0; page < pages_; ++page) place(page) = mark(page);
  }
  // Not by a process that shares it with the one that writes.
  void write(uint64_t number) const {
    if (!writable_) return;
    for (size_t page = 0; page < pages_; ++page) word(page) = number;
  }
  void verify(uint64_t number) const {
    for (size_t page = 0; page < pages_; ++page) {
      if (place(page) == mark(page) && (!writable_ || word(page) == number)) continue;
      end_process(kInconsistent,
                  still::formatted(
                      "mappings: INCONSISTENT: {}, page {}: {} and {:#x}, not {} and {:#x}", name_,
                      page, uint64_t{word(page)}, uint64_t{place(page)}, number, mark(page)),
                  kOutput);
    }
  }
  void protect(int protection) const {
    check(mprotect(memory_, pages_ * kPage, protection), "mprotect");
  }

 private:
  volatile uint64_t& word(size_t page) const {
    return *reinterpret_cast<volatile uint64_t*>(memory_ + page * kPage);
  }
  volatile uint64_t& place(size_t page) const {
    return *reinterpret_cast<volatile uint64_t*>(memory_ + (page + 1) * kPage - sizeof(uint64_t));
  }
  uint64_t mark(size_t page) const { return (std::hash<std::string>{}(name_) ^ (page << 8)) | 1; }

  std::string name_;
  char* memory_;
  size_t pages_;
  bool writable_;
};

void* map(size_t pages, int flags, int fd = -1, int protection = PROT_READ | PROT_WRITE) {
  return check(mmap(nullptr, pages * kPage, protection, flags, fd, 0), "mmap");
}

Region anonymous(const std::string& name, size_t pages, int advice = 0, int flags = 0) {
  void* memory = map(pages, MAP_PRIVATE | MAP_ANONYMOUS | flags);
  if (advice != 0 && madvise(memory, pages * kPage, advice) != 0 && errno != EINVAL) {
    throw std::system_error(errno, std::generic_category(), name);
  }
  return {name, memory, pages};
}

int file_of(const char* path, size_t pages) {
  const int fd = check(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), path);
  check(ftruncate(fd, static_cast<off_t>(pages * kPage)), "ftruncate");
  return fd;
}

// Private to each process.
std::vector<Region> private_regions(int process) {
  std::vector<Region> regions;
  regions.push_back(anonymous("anonymous", 300));
  regions.push_back(anonymous("locked", 4, 0, MAP_LOCKED));
  regions.push_back(anonymous("huge pages", 1024, MADV_HUGEPAGE));
  regions.push_back(anonymous("small pages", 600, MADV_NOHUGEPAGE));
  regions.push_back(anonymous("MADV_DONTFORK", 20, MADV_DONTFORK));
  regions.push_back(anonymous("MADV_WIPEONFORK", 20, MADV_WIPEONFORK));
  regions.push_back(anonymous("MADV_MERGEABLE", 20, MADV_MERGEABLE));
  regions.push_back(anonymous("MADV_DONTDUMP", 20, MADV_DONTDUMP));
  regions.push_back(anonymous("executable", 4));
  regions.back().protect(PROT_READ | PROT_WRITE | PROT_EXEC);
  const std::string path = still::formatted("/private-{}", process);
  regions.emplace_back("private file", map(16, MAP_PRIVATE, file_of(path.c_str(), 16)), 16);
  regions.emplace_back("heap", check(sbrk(64 * kPage), "sbrk"), 63);
  // Half of it is never touched.
  regions.emplace_back("half used", map(64, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE), 32);
  regions.emplace_back("read only", map(8, MAP_PRIVATE | MAP_ANONYMOUS), 8, false);
  for (const Region& region : regions) region.stamp();
  regions.back().protect(PROT_READ);
  return regions;
}

// What has been written and can be read no more.
class Hidden {
 public:
  Hidden() {
    region_.stamp();
    region_.protect(PROT_NONE);
  }
  void verify() const {
    region_.protect(PROT_READ);
    region_.verify(0);
    region_.protect(PROT_NONE);
  }

 private:
  Region region_{"PROT_NONE", map(8, MAP_PRIVATE | MAP_ANONYMOUS), 8, false};
};

// Written by the first process alone.
std::vector<Region> shared_regions() {
  std::vector<Region> regions;
  regions.emplace_back("shared anonymous", map(32, MAP_SHARED | MAP_ANONYMOUS), 32);
  regions.emplace_back("shared file", map(16, MAP_SHARED, file_of("/shared", 16)), 16);
  const int memfd =
      check(memfd_create("mappings", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create");
  check(ftruncate(memfd, 16 * kPage), "ftruncate");
  regions.emplace_back("memfd", map(16, MAP_SHARED, memfd), 16);
  check(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), "F_ADD_SEALS");
  const int segment = check(shmget(IPC_PRIVATE, 16 * kPage, IPC_CREAT | 0600), "shmget");
  regions.emplace_back("System V", check(shmat(segment, nullptr, 0), "shmat"), 16);
  for (const Region& region : regions) region.stamp();
  return regions;
}

// Frames on a thread's own stack that must be there when it comes back to them.
void keep_stack(int depth) {
  volatile uint64_t frame[64];
  for (auto& word : frame) word = static_cast<uint64_t>(depth);
  if (depth < 50) {
    keep_stack(depth + 1);
  } else {
    usleep(3000);
  }
  for (const auto& word : frame) {
    if (word != static_cast<uint64_t>(depth))
      end_process(kInconsistent, "mappings: INCONSISTENT: a stack", kOutput);
  }
}

// A child that has found a fault ends this process, too.
void watch(pid_t child) {
  std::thread([child] {
    const int code = workload::wait_for(child);
    _exit(code == workload::kFine ? kFailed : code);
  }).detach();
}

[[noreturn]] void run(int process, const std::vector<Region>& shared, pid_t child) {
  const std::vector<Region> regions = private_regions(process);
  const Hidden hidden;
  if (child != 0) watch(child);
  for (int i = 0; i < 2; ++i) {
    std::thread([] {
      for (;;) keep_stack(0);
    }).detach();
  }
  for (uint64_t number = 1;; ++number) {
    for (const Region& region : regions) region.write(number);
    for (const Region& region : shared) region.write(number);
    usleep(1000);
    for (const Region& region : regions) region.verify(number);
    for (const Region& region : shared) region.verify(number);
    hidden.verify();
    if (process == 0 && number % 20 == 0)
      kOutput.line(still::formatted("mappings: number={}", number));
  }
}

}  // namespace

int main(int argc, char** argv) try {
  workload::Flags(
      "",
      "Maps memory in every way in several processes and threads, and verifies it until SIGTERM;\n"
      "ends with 3 when it is not what it was. Prints \"number=N\". Makes files in /.")
      .parse(argc, argv);
  const std::vector<Region> shared = shared_regions();
  const pid_t child = check(fork(), "fork");
  if (child == 0) {
    const pid_t grandchild = check(fork(), "fork");
    run(grandchild == 0 ? 2 : 1, {}, grandchild);
  }
  if (check(fork(), "fork") == 0) _exit(7);  // nobody waits for it
  signal(SIGTERM, [](int) { _exit(workload::kFine); });
  run(0, shared, child);
} catch (const std::exception& error) {
  std::fprintf(stderr, "mappings: %s\n", error.what());
  return workload::kFailed;
}
