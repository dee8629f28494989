// Changes big files that have no name, and knows what is in them. Each lane has one, and remembers
// the version of every page: memory first, then the file. Where a lane was stopped belongs to its
// memory, so a copy must have exactly what it remembers.
//
// deleted MIB DIRECTORY...: a lane of each kind in each. SIGTERM: each lane ends its step and
// compares all. Exit codes: 0 fine, 3 a page was of another instant.

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int kFine = 0, kUsage = 2, kInconsistent = 3, kFailed = 4;
constexpr size_t kPage = 4096;

std::atomic<bool> g_stop = false;
std::atomic<int> g_wrong = 0;
std::atomic<long> g_steps = 0;

void must(bool is_so, const char* what) {
  if (is_so) return;
  std::perror(what);
  _exit(kFailed);
}

enum class Kind { kIdle, kWrite, kMap, kHoles, kGrow };
constexpr const char* kNames[] = {"idle", "write", "map", "holes", "grow"};

class Lane {
 public:
  Lane(Kind kind, const std::string& directory, size_t pages)
      : kind_(kind), directory_(directory), versions_(pages) {
    const std::string name = directory + "/" + kNames[static_cast<int>(kind)];
    file_ = open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
    must(file_ >= 0 && unlink(name.c_str()) == 0, name.c_str());
    for (size_t page = 0; page < pages; ++page) write_page(page, versions_[page] = 1);
    if (kind != Kind::kMap) return;
    void* memory = mmap(nullptr, pages * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
    must(memory != MAP_FAILED, "mmap");
    memory_ = static_cast<char*>(memory);
  }

  void run() {
    while (!g_stop) {
      if (kind_ != Kind::kIdle) step();
      std::this_thread::sleep_for(std::chrono::microseconds(kind_ == Kind::kIdle ? 10000 : 200));
    }
    compare();
  }

 private:
  void step() {
    ++g_steps;
    if (kind_ == Kind::kGrow) grow();
    const size_t page = kind_ == Kind::kGrow ? versions_.size() - 1 : random_() % versions_.size();
    const bool is_hole = kind_ == Kind::kHoles && random_() % 2 == 0;
    const uint64_t version = versions_[page] = is_hole ? 0 : ++last_;
    if (is_hole) {
      must(fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                     static_cast<off_t>(page * kPage), kPage) == 0,
           "fallocate");
    } else {
      write_page(page, version);
    }
  }

  void grow() {
    constexpr size_t kMostPages = 500;
    if (versions_.size() >= first_size_ + kMostPages) {
      versions_.resize(first_size_);
      must(ftruncate(file_, static_cast<off_t>(first_size_ * kPage)) == 0, "ftruncate");
    }
    versions_.push_back(0);
  }

  void write_page(size_t page, uint64_t version) {
    if (memory_ != nullptr) {
      std::memcpy(memory_ + page * kPage, &version, sizeof version);
      return;
    }
    std::vector<uint64_t> words(kPage / sizeof version, version);
    must(pwrite(file_, words.data(), kPage, static_cast<off_t>(page * kPage)) == kPage, "pwrite");
  }

  void compare() const {
    must(static_cast<size_t>(lseek(file_, 0, SEEK_END)) == versions_.size() * kPage, "size");
    for (size_t page = 0; page < versions_.size(); ++page) {
      uint64_t version = 0;
      must(pread(file_, &version, sizeof version, static_cast<off_t>(page * kPage)) ==
               sizeof version,
           "pread");
      if (version == versions_[page]) continue;
      if (++g_wrong < 10) {
        std::printf("deleted: INCONSISTENT: %s %s: page %zu has %lu instead of %lu\n",
                    directory_.c_str(), kNames[static_cast<int>(kind_)], page, version,
                    versions_[page]);
      }
    }
  }

  const Kind kind_;
  const std::string directory_;
  std::vector<uint64_t> versions_;
  const size_t first_size_ = versions_.size();
  uint64_t last_ = 1;
  std::minstd_rand random_{1};
  int file_ = -1;
  char* memory_ = nullptr;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return kUsage;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::signal(SIGTERM, [](int) { g_stop = true; });
  const size_t pages = static_cast<size_t>(std::atol(argv[1])) * (size_t{1} << 20) / kPage;
  std::vector<Lane> lanes;
  for (int i = 2; i < argc; ++i) {
    for (const Kind kind : {Kind::kIdle, Kind::kWrite, Kind::kMap, Kind::kHoles, Kind::kGrow}) {
      lanes.emplace_back(kind, argv[i], pages);
    }
  }
  std::vector<std::jthread> threads;
  for (Lane& lane : lanes) threads.emplace_back([&lane] { lane.run(); });
  std::puts("deleted: ready");
  threads.clear();
  std::printf("deleted: steps=%ld wrong=%d\n", g_steps.load(), g_wrong.load());
  return g_wrong == 0 ? kFine : kInconsistent;
}
