// Fills a directory with files, and keeps on changing them at a steady rate: what the benchmarks
// checkpoint. The content is random, so that nothing on the way can make it smaller.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/format.h"
#include "flags.h"
#include "output.h"
#include "processes.h"

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

std::mt19937_64 random_number(1);

[[noreturn]] void throw_errno(const char* call, const fs::path& path) {
  throw std::system_error(errno, std::generic_category(),
                          still::formatted("{} {}", call, path.string()));
}

// Open for writing only while it is needed: an idle file is one that nobody holds open.
class File {
 public:
  File(fs::path path, int flags)
      : path_(std::move(path)), fd_(open(path_.c_str(), O_WRONLY | O_CLOEXEC | flags, 0644)) {
    if (fd_ < 0) throw_errno("open", path_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { close(fd_); }

  void write_random(uint64_t offset_bytes, uint64_t size_bytes) const {
    std::vector<uint64_t> words;
    while (size_bytes > 0) {
      const uint64_t part_bytes = std::min(size_bytes, kPartBytes);
      words.resize((part_bytes + sizeof(uint64_t) - 1) / sizeof(uint64_t));
      std::ranges::generate(words, std::ref(random_number));
      const ssize_t written =
          pwrite(fd_, words.data(), part_bytes, static_cast<off_t>(offset_bytes));
      if (written < 0) throw_errno("write", path_);
      offset_bytes += static_cast<uint64_t>(written);
      size_bytes -= static_cast<uint64_t>(written);
    }
  }

 private:
  static constexpr uint64_t kPartBytes = 1 << 20;
  const fs::path path_;
  const int fd_;
};

// Comes back at even distances. What a pause left out is not caught up with: the rate before and
// after it is the same.
class Pace {
 public:
  explicit Pace(double per_second)
      : interval_(static_cast<int64_t>(1e6 / per_second)), next_(Clock::now()) {}

  void wait() {
    next_ = std::max(next_ + interval_, Clock::now() - interval_);
    std::this_thread::sleep_until(next_);
  }

 private:
  const microseconds interval_;
  Clock::time_point next_;
};

// Prints once a second what changed in it.
class Report {
 public:
  void add(uint64_t bytes, uint64_t files) {
    bytes_ += bytes;
    files_ += files;
    const auto now = Clock::now();
    const auto elapsed = std::chrono::duration_cast<microseconds>(now - begin_);
    if (elapsed < std::chrono::seconds(1)) return;
    output_.line(still::formatted("changed_bytes={} changed_files={} us={}", bytes_, files_,
                                  elapsed.count()));
    bytes_ = files_ = 0;
    begin_ = now;
  }

 private:
  const workload::Output output_{{}};
  Clock::time_point begin_ = Clock::now();
  uint64_t bytes_ = 0;
  uint64_t files_ = 0;
};

uint64_t any_below(uint64_t end) {
  return std::uniform_int_distribution<uint64_t>(0, end - 1)(random_number);
}

std::vector<fs::path> files_in(const fs::path& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    if (entry.is_regular_file()) files.push_back(entry.path());
  if (files.empty())
    throw std::runtime_error(still::formatted("{} has no files", directory.string()));
  std::ranges::sort(files);
  return files;
}

void fill(const fs::path& directory, uint64_t files, uint64_t size_bytes) {
  constexpr uint64_t kFilesInDirectory = 200;
  for (uint64_t i = 0; i < files; ++i) {
    const fs::path parent = directory / still::formatted("d{}", i / kFilesInDirectory);
    if (i % kFilesInDirectory == 0) fs::create_directories(parent);
    File(parent / still::formatted("f{}", i), O_CREAT | O_EXCL).write_random(0, size_bytes);
  }
}

// The blocks of all files, one after another or by chance.
[[noreturn]] void rewrite(const fs::path& directory, double mib_per_second, bool in_sequence) {
  constexpr uint64_t kBlockBytes = 64 << 10;
  std::vector<std::pair<fs::path, uint64_t>> blocks;
  for (const auto& file : files_in(directory))
    for (uint64_t offset = 0; offset + kBlockBytes <= fs::file_size(file); offset += kBlockBytes)
      blocks.emplace_back(file, offset);
  if (blocks.empty()) throw std::runtime_error("no file has a whole block");
  Pace pace(mib_per_second * (1 << 20) / kBlockBytes);
  Report report;
  for (uint64_t i = 0;; ++i) {
    const auto& [file, offset] = blocks[in_sequence ? i % blocks.size() : any_below(blocks.size())];
    File(file, 0).write_random(offset, kBlockBytes);
    report.add(kBlockBytes, 0);
    pace.wait();
  }
}

// In turn: a new file beside an old one, an old one with other content, an old one gone.
[[noreturn]] void churn(const fs::path& directory, double files_per_second) {
  constexpr uint64_t kFileBytes = 4096;
  auto files = files_in(directory);
  Pace pace(files_per_second);
  Report report;
  for (uint64_t i = 0;; ++i) {
    const uint64_t chosen = any_below(files.size());
    if (i % 3 == 0) {
      files.push_back(files[chosen].parent_path() / still::formatted("new{}", i));
      File(files.back(), O_CREAT | O_EXCL).write_random(0, kFileBytes);
    } else if (i % 3 == 1) {
      File(files[chosen], 0).write_random(0, kFileBytes);
    } else {
      fs::remove(files[chosen]);
      files[chosen] = files.back();
      files.pop_back();
    }
    report.add(i % 3 == 2 ? 0 : kFileBytes, 1);
    pace.wait();
  }
}

}  // namespace

int main(int argc, char** argv) try {
  workload::Flags flags(
      "fill|rewrite|churn DIR [flags]",
      "Fills a directory with random files, or changes them for ever at a steady rate.",
      "fill     make files, 200 in each of its directories: --files, --size\n"
      "rewrite  write over 64 KiB blocks of the files, sizes stay: --rate, --in-sequence\n"
      "churn    create, change and remove files of 4 KiB in turn: --rate\n\n"
      "While it changes files it prints a line each second: changed_bytes=N changed_files=N us=N");
  uint64_t files = 1;
  uint64_t size_bytes = 4096;
  uint64_t rate = 1;
  bool in_sequence = false;
  flags.number("files", files, "How many to make");
  flags.number("size", size_bytes, "Bytes of each");
  flags.number("rate", rate, "MiB to write over, or files to change, per second", 1);
  flags.on_off("in-sequence", in_sequence,
               "One file after another, instead of any block of any file");
  const auto words = flags.parse(argc, argv, 2);
  const std::string& what = words[0];
  const fs::path directory = words[1];

  if (what == "fill") {
    fill(directory, files, size_bytes);
    return 0;
  }
  if (what == "rewrite") rewrite(directory, static_cast<double>(rate), in_sequence);
  if (what == "churn") churn(directory, static_cast<double>(rate));
  std::fprintf(stderr, "writer: no command '%s', see --help\n", what.c_str());
  return workload::kUsage;
} catch (const std::exception& error) {
  std::fputs(still::formatted("writer: {}\n", error.what()).c_str(), stderr);
  return 1;
}
