#include "memory/merge.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "base/format.h"
#include "criu/memory_images.h"
#include "os/files.h"
#include "os/parallel.h"

namespace still::memory {
namespace {

using criu::kPageSize;

constexpr size_t kPieceBytes = size_t{4} << 20;

// A run of pages of the new images.
struct Piece {
  uint64_t address = 0;
  uint64_t pages = 0;
  uint32_t flags = 0;          // of the pages
  bool from_snapshot = false;  // else from CRIU's own file of pages
  uint64_t source = 0;         // offset in that
  bool zeros_may_go = false;   // pages of zeros need not be there
};

// A piece as it is to be written. Used again and again: memory that is new to us would cost more
// than what is copied into it.
struct Loaded {
  std::vector<criu::PageRange> ranges;
  std::unique_ptr<std::byte[]> pages = std::make_unique_for_overwrite<std::byte[]>(kPieceBytes);
  size_t size = 0;  // of the pages, one after the other
};

bool is_zero(const std::byte* page) {
  uint64_t words[kPageSize / sizeof(uint64_t)];
  std::memcpy(words, page, kPageSize);
  uint64_t any = 0;
  for (const uint64_t word : words) any |= word;
  return any == 0;
}

uint32_t flags_of(bool lazy) { return criu::kPresent | (lazy ? criu::kLazy : 0); }

class Merging {
 public:
  Merging(const std::filesystem::path& images, const Snapshot& snapshot)
      : images_(images),
        snapshot_(snapshot),
        map_(criu::read_page_map(images, snapshot.process())),
        mappings_(criu::read_mappings(images, snapshot.process())) {}

  MergeTotals run(const std::function<void()>& poll) {
    if (std::ranges::none_of(map_.ranges, &criu::PageRange::is_missing)) return {};
    divide();
    const auto file = criu::pages_file(images_, map_.pages_id);
    const Fd own = open_file(file, O_RDONLY);
    const auto merged = file.native() + ".merged";
    const Fd to = open_file(merged, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    // Pieces are read by several threads, a bundle at a time, and written in their order.
    std::vector<Loaded> bundle(std::min(pieces_.size(), size_t{2} * processor_count()));
    for (size_t first = 0; first < pieces_.size(); first += bundle.size()) {
      poll();
      const size_t count = std::min(bundle.size(), pieces_.size() - first);
      parallel_for(count, 1, processor_count(), [&](size_t begin, size_t end) {
        for (size_t i = begin; i < end; ++i) load(bundle[i], pieces_[first + i], own, snapshot_);
      });
      for (size_t i = 0; i < count; ++i) put(bundle[i], to);
    }
    std::filesystem::rename(merged, file);
    criu::write_page_map(images_, snapshot_.process(),
                         {.pages_id = map_.pages_id, .ranges = std::move(merged_)});
    return totals_;
  }

 private:
  // Ranges into pieces, at borders of mappings, too: those decide what zeros mean.
  void divide() {
    uint64_t source = 0;
    auto mapping = mappings_.begin();
    for (const criu::PageRange& range : map_.ranges) {
      for (uint64_t address = range.address; address < range.end();) {
        while (mapping != mappings_.end() && mapping->end <= address) ++mapping;
        const bool inside = mapping != mappings_.end() && mapping->start <= address;
        const uint64_t border = inside ? mapping->end : range.end();
        const uint64_t end = std::min({range.end(), border, address + kPieceBytes});
        const bool missing = range.is_missing();
        pieces_.push_back({.address = address,
                           .pages = (end - address) / kPageSize,
                           .flags = missing ? flags_of(inside && mapping->lazy) : range.flags,
                           .from_snapshot = missing,
                           .source = source,
                           .zeros_may_go = missing && inside && mapping->anonymous});
        if (!missing) source += end - address;
        address = end;
      }
    }
  }

  static void load(Loaded& to, const Piece& piece, const Fd& own, const Snapshot& snapshot) {
    std::byte* const pages = to.pages.get();
    to.size = piece.pages * kPageSize;
    if (piece.from_snapshot) {
      snapshot.read(piece.address, pages, to.size);
    } else {
      read_own(own, piece.source, pages, to.size);
    }
    to.ranges = {{piece.address, piece.pages, piece.flags}};
    if (piece.zeros_may_go) leave_out_zeros(to, piece);
  }

  static void leave_out_zeros(Loaded& from, const Piece& piece) {
    std::byte* const pages = from.pages.get();
    from.ranges.clear();
    size_t kept = 0;
    for (uint64_t page = 0; page < piece.pages; ++page) {
      const std::byte* content = pages + page * kPageSize;
      if (is_zero(content)) continue;
      if (kept != page) std::memcpy(pages + kept * kPageSize, content, kPageSize);
      ++kept;
      append(from.ranges, {piece.address + page * kPageSize, 1, piece.flags});
    }
    from.size = kept * kPageSize;
  }

  static void read_own(const Fd& own, uint64_t offset, std::byte* to, size_t size) {
    while (size > 0) {
      const ssize_t got = ::pread(own.get(), to, size, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) throw Error(ErrorKind::kCorrupt, "CRIU has written less memory than it says");
      offset += static_cast<uint64_t>(got);
      to += got;
      size -= static_cast<size_t>(got);
    }
  }

  // Runs that continue each other become one.
  static void append(std::vector<criu::PageRange>& ranges, const criu::PageRange& range) {
    constexpr uint64_t kMostPages = uint64_t{1} << 31;
    if (!ranges.empty() && ranges.back().end() == range.address &&
        ranges.back().flags == range.flags && ranges.back().pages + range.pages <= kMostPages) {
      ranges.back().pages += range.pages;
    } else {
      ranges.push_back(range);
    }
  }

  void put(const Loaded& piece, const Fd& to) {
    write_all(to, {reinterpret_cast<const char*>(piece.pages.get()), piece.size});
    for (const criu::PageRange& range : piece.ranges) {
      append(merged_, range);
      totals_.written_bytes += range.pages * kPageSize;
    }
  }

  const std::filesystem::path& images_;
  const Snapshot& snapshot_;
  const criu::PageMap map_;
  const std::vector<criu::Mapping> mappings_;
  std::vector<Piece> pieces_;
  std::vector<criu::PageRange> merged_;
  MergeTotals totals_;
};

// A process without its memory had ended before it was copied, say.
void require_all(const std::filesystem::path& images) {
  for (const criu::DumpedProcess& process : criu::read_processes(images)) {
    if (!criu::has_page_map(images, process.pid)) continue;
    if (std::ranges::none_of(criu::read_page_map(images, process.pid).ranges,
                             &criu::PageRange::is_missing)) {
      continue;
    }
    throw Error(ErrorKind::kConflict,
                formatted("process {} ended before its memory was copied", process.pid));
  }
}

}  // namespace

MergeTotals merge(const std::filesystem::path& images, const Snapshots& snapshots,
                  const std::function<void()>& poll) {
  MergeTotals totals;
  for (const auto& snapshot : snapshots) {
    const MergeTotals one = Merging(images, *snapshot).run(poll);
    totals.written_bytes += one.written_bytes;
  }
  require_all(images);
  std::filesystem::remove(images / "parent");
  return totals;
}

}  // namespace still::memory
