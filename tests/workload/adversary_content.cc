// Lanes that change what is in files.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <memory>
#include <system_error>

#include "adversary_lanes.h"
#include "gap_clock.h"

namespace workload {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr size_t kPage = 4096;

// Same size, same times: only the time of change, which nobody can set, tells.
class Rewrite : public FilesLane {
 public:
  explicit Rewrite(const LaneSettings& settings) : FilesLane(settings, 4, kPage) {}

  void step() override {
    const size_t file = pick();
    verify_file(file);
    rewrite(file);
  }

 protected:
  void rewrite(size_t file) {
    const size_t piece = random_.below(node(file).pieces.size());
    node(file).pieces[piece] = new_version();
    File(file_path(file), O_WRONLY).write_piece(node(file), piece);
    set_times_back(file);
  }
};

// Stores into a page that is dirty already leave no trace in any time. Files are mapped, dirtied at
// once, stored into for a while, and unmapped; most are unmapped at any one moment.
class Mmap : public FilesLane {
 public:
  explicit Mmap(const LaneSettings& settings) : FilesLane(settings, kPages, kPage) {}
  ~Mmap() override { Mmap::end(); }

  void step() override {
    const auto now = GapClock::now(CLOCK_MONOTONIC);
    std::erase_if(mappings_, [&](const auto& mapping) { return mapping->until < now; });
    if (mappings_.size() < files_ / 3) map(now);
    for (int count = 0; count < 32 && !mappings_.empty(); ++count)
      store(*mappings_[random_.below(mappings_.size())], random_.below(kPages));
  }

  void verify_all() override {
    for (const auto& mapping : mappings_) verify_mapping(*mapping);
    FilesLane::verify_all();
  }

  void end() override { mappings_.clear(); }

 private:
  static constexpr size_t kPages = 4;
  static constexpr size_t kWords = kPage / sizeof(uint64_t);

  struct Mapping {
    ~Mapping() { munmap(memory, kPages * kPage); }
    size_t file = 0;
    void* memory = nullptr;
    nanoseconds until{};

    std::span<uint64_t> page(size_t index) const {
      return std::span(static_cast<uint64_t*>(memory), kPages * kWords)
          .subspan(index * kWords, kWords);
    }
  };

  void map(nanoseconds now) {
    const size_t file = random_.below(files_);
    if (std::ranges::find(mappings_, file, [](auto& one) { return one->file; }) != mappings_.end())
      return;
    verify_file(file);
    node(file).mtime.reset();
    auto mapping = std::make_unique<Mapping>();
    mapping->file = file;
    mapping->until = now + milliseconds(1 + random_.below(200));
    const File opened(file_path(file), O_RDWR);
    mapping->memory =
        mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, opened.fd(), 0);
    if (mapping->memory == MAP_FAILED) throw_errno("mmap", file_path(file));
    mappings_.push_back(std::move(mapping));
    for (size_t page = 0; page < kPages; ++page) store(*mappings_.back(), page);
  }

  void store(const Mapping& mapping, size_t page) {
    verify_piece(mapping.page(page), node(mapping.file), page, file_path(mapping.file) + " (map)");
    node(mapping.file).pieces[page] = new_version();
    fill_piece(mapping.page(page), node(mapping.file), page);
  }

  void verify_mapping(const Mapping& mapping) {
    for (size_t page = 0; page < kPages; ++page)
      verify_piece(mapping.page(page), node(mapping.file), page,
                   file_path(mapping.file) + " (map)");
  }

  std::vector<std::unique_ptr<Mapping>> mappings_;
};

// Files that grow in small pieces, and start again when they are long.
class Append : public FilesLane {
 public:
  explicit Append(const LaneSettings& settings) : FilesLane(settings, 0, 64) {}

  void step() override {
    const size_t file = pick();
    verify_file(file);
    node(file).mtime.reset();
    auto& pieces = node(file).pieces;
    const bool again = pieces.size() >= kLongest;
    if (again) pieces.clear();
    const File opened(file_path(file), O_WRONLY | O_APPEND | (again ? O_TRUNC : 0));
    for (uint64_t count = random_.below(5); count > 0; --count) {
      pieces.push_back(new_version());
      opened.append_piece(node(file), pieces.size() - 1);
    }
  }

 private:
  static constexpr size_t kLongest = 256;
};

// Truncated and regrown to the same size with other content, the times as before.
class Truncate : public FilesLane {
 public:
  explicit Truncate(const LaneSettings& settings) : FilesLane(settings, 4, kPage) {}

  void step() override {
    const size_t file = pick();
    verify_file(file);
    auto& pieces = node(file).pieces;
    const size_t size = pieces.size();
    const size_t kept = random_.below(size);
    const size_t left_zero = random_.below(2);  // grown by truncate() alone
    const uint64_t version = new_version();
    for (size_t piece = kept; piece < size; ++piece)
      pieces[piece] = piece + left_zero < size ? version : 0;
    regrow(file, kept, size);
    set_times_back(file);
  }

 private:
  void regrow(size_t file, size_t kept, size_t size) {
    const File opened(file_path(file), O_WRONLY);
    check(ftruncate(opened.fd(), static_cast<off_t>(kept * kPage)), "truncate", file_path(file));
    for (size_t piece = kept; piece < size; ++piece)
      if (node(file).pieces[piece] != 0) opened.write_piece(node(file), piece);
    check(ftruncate(opened.fd(), static_cast<off_t>(size * kPage)), "truncate", file_path(file));
  }
};

// One block that is written as often as possible, a word at a time, and beside it blocks with the
// longer history: a torn copy of the block, or of the blocks, holds words that never were together.
class OneBlock : public FilesLane {
 public:
  explicit OneBlock(const LaneSettings& settings)
      : FilesLane(settings, 4 * kWords, sizeof(uint64_t)) {}

  void step() override {
    const size_t file = pick();
    verify_file(file);
    Node& target = node(file);
    target.mtime.reset();
    const File opened(file_path(file), O_WRONLY);
    for (uint64_t count = 200 + random_.below(2000); count > 0; --count) {
      const uint64_t version = new_version();
      write(opened, target, version % kWords, version);
      if (version % 64 == 0) write(opened, target, kWords + version / 64 % (3 * kWords), version);
    }
  }

 private:
  static constexpr size_t kWords = kPage / sizeof(uint64_t);

  static void write(const File& opened, Node& target, size_t piece, uint64_t version) {
    target.pieces[piece] = version;
    opened.write_piece(target, piece);
  }
};

// Holes are punched and filled again; the size and the times stay.
class Holes : public FilesLane {
 public:
  explicit Holes(const LaneSettings& settings) : FilesLane(settings, 8, kPage) {}

  void step() override {
    const size_t file = pick();
    verify_file(file);
    auto& pieces = node(file).pieces;
    const size_t begin = random_.below(pieces.size());
    const size_t count = 1 + random_.below(pieces.size() - begin);
    const uint64_t version = random_.one_in(2) ? new_version() : 0;
    std::fill_n(pieces.begin() + static_cast<std::ptrdiff_t>(begin), count, version);
    change(file, begin, count);
    set_times_back(file);
  }

 private:
  void change(size_t file, size_t begin, size_t count) {
    const File opened(file_path(file), O_WRONLY);
    if (node(file).pieces[begin] == 0)
      return check(fallocate(opened.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                             static_cast<off_t>(begin * kPage), static_cast<off_t>(count * kPage)),
                   "fallocate", file_path(file));
    for (size_t piece = begin; piece < begin + count; ++piece)
      opened.write_piece(node(file), piece);
  }
};

// The clock that times of change come from is set back before a file is rewritten, and forward
// again, by exactly as much.
class Clock : public Rewrite {
 public:
  explicit Clock(const LaneSettings& settings) : Rewrite(settings) {}

  void step() override {
    const size_t file = pick();
    verify_file(file);
    move(-kBy);
    const auto offset = since_monotonic();
    rewrite(file);
    // In a restored copy the monotonic clock stood still while the other one went on. It must not
    // move the machine's clock: the original does that.
    if (std::chrono::abs(since_monotonic() - offset) < kBy / 2) move(kBy);
  }

 private:
  static constexpr milliseconds kBy{30};

  static nanoseconds since_monotonic() {
    return GapClock::now(CLOCK_REALTIME) - GapClock::now(CLOCK_MONOTONIC);
  }

  static void move(milliseconds by) {
    timex change{};
    change.modes = ADJ_SETOFFSET;
    change.time.tv_sec = by.count() < 0 ? -1 : 0;
    change.time.tv_usec = (by.count() - change.time.tv_sec * 1000) * 1000;
    if (adjtimex(&change) < 0)
      throw std::system_error(errno, std::generic_category(), "cannot step the clock");
  }
};

}  // namespace

void Lane::begin() {
  std::filesystem::create_directories(directory_);
  for (const auto& left : std::filesystem::directory_iterator(directory_))
    std::filesystem::remove_all(left);
  check(chmod(directory_.c_str(), root_->mode), "chmod", directory_);
  fill(*root_);
  for (const auto& [name, node] : root_->entries) make(path(name), *node);
}

void FilesLane::fill(Node& root) {
  for (size_t file = 0; file < files_; ++file) root.entries[name(file)] = fresh_file(file);
}

size_t FilesLane::pick() {
  if (again_ > 0) {
    --again_;
    return last_;
  }
  if (random_.one_in(4)) again_ = 2 + random_.below(12);
  return last_ = random_.below(files_);
}

NodePtr FilesLane::fresh_file(uint64_t id) {
  auto node = new_file(id, std::vector(pieces_, new_version()), piece_bytes_);
  node->mtime = kLongAgo;
  return node;
}

void FilesLane::set_times_back(size_t file) {
  node(file).mtime = kLongAgo;
  set_mtime(file_path(file), kLongAgo);
}

const std::map<std::string, MakeLane>& content_lanes() {
  static const std::map<std::string, MakeLane> kLanes{
      {"append", maker<Append>()},   {"holes", maker<Holes>()},
      {"mmap", maker<Mmap>()},       {"one-block", maker<OneBlock>()},
      {"rewrite", maker<Rewrite>()}, {"truncate", maker<Truncate>()},
  };
  return kLanes;
}

std::unique_ptr<Lane> make_clock_lane(const LaneSettings& settings) {
  return std::make_unique<Clock>(settings);
}

}  // namespace workload
