#include "memory/page_store.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <iterator>
#include <ranges>

#include "base/error.h"
#include "os/content.h"
#include "os/files.h"
#include "os/parallel.h"

namespace still::memory {
namespace {

using criu::kPageSize;

// Of one piece of work: few calls, and what is copied is still in the processor's cache when it is
// written.
constexpr uint64_t kPiecePages = 128;

// Runs into pieces: of at most so many pages each, no run over a border of so many bytes.
std::vector<std::vector<PageRun>> divide(const std::vector<PageRun>& runs, uint64_t border) {
  std::vector<std::vector<PageRun>> pieces;
  uint64_t pages = kPiecePages;
  for (PageRun run : runs) {
    while (run.pages > 0) {
      if (pages >= kPiecePages || pieces.back().size() == PageSource::kMostRuns) {
        pieces.emplace_back();
        pages = 0;
      }
      const uint64_t to_border = (border - run.address % border) / kPageSize;
      const uint64_t count = std::min({run.pages, kPiecePages - pages, to_border});
      pieces.back().push_back({.address = run.address, .pages = count});
      pages += count;
      run = {.address = run.address + count * kPageSize, .pages = run.pages - count};
    }
  }
  return pieces;
}

void for_each_piece(const std::vector<std::vector<PageRun>>& pieces,
                    const std::function<void(const std::vector<PageRun>&, size_t)>& work) {
  parallel_for(pieces.size(), 1, processor_count(), [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) work(pieces[i], i);
  });
}

}  // namespace

PageFile::PageFile(std::filesystem::path path)
    : path_(std::move(path)), fd_(open_file(path_, O_RDWR | O_CREAT | O_EXCL, 0600)) {}

PageFile::~PageFile() {
  std::error_code left;  // then with the directory
  std::filesystem::remove(path_, left);
}

Reserve::Reserve(uint64_t bytes) : size_(bytes) {
  if (size_ == 0) return;
  void* memory = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) throw Error::system(errno, "no memory for copies of pages");
  memory_ = static_cast<std::byte*>(memory);
}

Reserve::~Reserve() {
  if (memory_ != nullptr) ::munmap(memory_, size_);
}

std::byte* Reserve::take(uint64_t bytes) {
  const uint64_t offset = taken_.fetch_add(bytes);
  return offset + bytes <= size_ ? memory_ + offset : nullptr;
}

// Runs may be far greater than what is stored: the whole of a mapping in which nothing is.
void PageStore::mark(const PageRun& run, bool is_stored) {
  for (auto chunk = chunks_.lower_bound(run.address / kChunkBytes);
       chunk != chunks_.end() && chunk->first * kChunkBytes < run.end(); ++chunk) {
    const uint64_t start = chunk->first * kChunkBytes;
    const uint64_t first = std::max(run.address, start) - start;
    const uint64_t end = std::min(run.end() - start, kChunkBytes);
    for (uint64_t page = first / kPageSize; page < end / kPageSize; ++page) {
      chunk->second.stored[page] = is_stored;
    }
  }
}

void PageStore::make_room(const Changes& changes) {
  for (const PageRun& run : changes.looked_at) mark(run, false);
  for (const PageRun& run : changes.written) {
    for (uint64_t chunk = run.address / kChunkBytes; chunk * kChunkBytes < run.end(); ++chunk) {
      const auto [place, is_new] = chunks_.try_emplace(chunk);
      if (is_new) place->second.offset = file_.take_place(kChunkBytes);
    }
    mark(run, true);
  }
}

void PageStore::copy(const PageSource& from, const Changes& changes) {
  make_room(changes);
  const auto pieces = divide(changes.written, kChunkBytes);
  std::vector<std::vector<PageRun>> missing(pieces.size());
  for_each_piece(pieces, [&](const std::vector<PageRun>& piece, size_t number) {
    alignas(64) std::byte bytes[kPiecePages * kPageSize];
    if (from.read(piece, bytes)) return put(piece, bytes);
    for (const PageRun& run : piece) {
      for (PageRun page{.address = run.address, .pages = 1}; page.address < run.end();
           page.address += kPageSize) {
        if (from.read(page.address, bytes, kPageSize)) {
          missing[number].push_back(page);
        } else {
          put({page}, bytes);
        }
      }
    }
  });
  for (const auto& runs_of_piece : missing) {
    for (const PageRun& run : runs_of_piece) mark(run, false);
  }
}

void PageStore::put(const std::vector<PageRun>& runs, const std::byte* bytes) const {
  for (const PageRun& run : runs) {
    const Chunk& chunk = chunks_.at(run.address / kChunkBytes);
    write_at(file_.fd(), {reinterpret_cast<const char*>(bytes), run.bytes()},
             chunk.offset + run.address % kChunkBytes, "cannot store memory");
    bytes += run.bytes();
  }
}

bool PageStore::copy_quickly(const PageSource& from, const Changes& changes, Reserve& reserve) {
  make_room(changes);
  if (changes.written.empty()) return true;
  std::byte* const bytes = reserve.take(total_bytes(changes.written));
  if (bytes == nullptr) return false;
  const auto pieces = divide(changes.written, kChunkBytes);
  std::vector<Quick> copied;
  std::vector<size_t> first;  // of each piece
  uint64_t offset = 0;
  for (const auto& piece : pieces) {
    first.push_back(copied.size());
    for (const PageRun& run : piece) {
      copied.push_back({.run = run, .bytes = bytes + offset});
      offset += run.bytes();
    }
  }
  std::atomic<bool> all = true;
  for_each_piece(pieces, [&](const std::vector<PageRun>& piece, size_t number) {
    auto* const to = bytes + (copied[first[number]].bytes - bytes);
    if (from.read(piece, to)) return;
    uint64_t done = 0;
    for (const PageRun& run : piece) {
      if (from.read(run.address, to + done, run.bytes())) all = false;
      done += run.bytes();
    }
  });
  quick_.push_back(std::move(copied));
  return all;
}

// What is not in memory any more is not waited for: it counts as different.
std::vector<PageRun> PageStore::differing(const PageRun& run, const std::byte* bytes) const {
  alignas(64) std::byte stored[kPiecePages * kPageSize];
  const Chunk& chunk = chunks_.at(run.address / kChunkBytes);
  const iovec to{stored, run.bytes()};
  const auto place = static_cast<off_t>(chunk.offset + run.address % kChunkBytes);
  if (::preadv2(file_.fd().get(), &to, 1, place, RWF_NOWAIT) != static_cast<ssize_t>(run.bytes())) {
    return {run};
  }
  std::vector<PageRun> pages;
  for (uint64_t at = 0; at < run.bytes(); at += kPageSize) {
    if (std::memcmp(stored + at, bytes + at, kPageSize) == 0) continue;
    append(pages, {.address = run.address + at, .pages = 1});
  }
  return pages;
}

uint64_t PageStore::copy_differing(const PageSource& from, const std::vector<PageRun>& pages,
                                   Reserve* reserve) {
  const auto known = stored();
  const auto known_pieces = divide(common_pages(pages, known), kChunkBytes);
  auto pieces = known_pieces;
  std::ranges::move(divide(pages_without(pages, known), kChunkBytes), std::back_inserter(pieces));
  make_room({.written = pages, .looked_at = {}});
  std::vector<std::vector<Quick>> quick(pieces.size());
  std::atomic<uint64_t> different = 0;
  for_each_piece(pieces, [&](const std::vector<PageRun>& piece, size_t number) {
    alignas(64) std::byte bytes[kPiecePages * kPageSize];
    if (!from.read(piece, bytes)) throw Error(ErrorKind::kConflict, "shared memory is gone");
    const std::byte* content = bytes;
    for (const PageRun& run : piece) {
      const bool is_known = number < known_pieces.size();
      for (const PageRun& part : is_known ? differing(run, content) : std::vector{run}) {
        const std::byte* const there = content + (part.address - run.address);
        std::byte* const place = reserve == nullptr ? nullptr : reserve->take(part.bytes());
        different += part.bytes();
        if (place == nullptr) {
          put({part}, there);
        } else {
          std::memcpy(place, there, part.bytes());
          quick[number].push_back({.run = part, .bytes = place});
        }
      }
      content += run.bytes();
    }
  });
  std::vector<Quick> layer;
  for (const auto& of_piece : quick) std::ranges::copy(of_piece, std::back_inserter(layer));
  std::ranges::sort(layer, {}, [](const Quick& one) { return one.run.address; });
  if (!layer.empty()) quick_.push_back(std::move(layer));
  return different;
}

void PageStore::forget(const std::vector<PageRun>& runs) {
  for (const PageRun& run : runs) mark(run, false);
  quick_.clear();
}

uint64_t PageStore::stored_bytes() const {
  uint64_t pages = 0;
  for (const auto& [number, chunk] : chunks_) pages += chunk.stored.count();
  return pages * kPageSize;
}

std::vector<PageRun> PageStore::stored() const {
  std::vector<PageRun> runs;
  for (const auto& [number, chunk] : chunks_) {
    for (uint64_t page = 0; page < kChunkPages; ++page) {
      if (chunk.stored[page])
        append(runs, {.address = number * kChunkBytes + page * kPageSize, .pages = 1});
    }
  }
  return runs;
}

int64_t PageStore::read(uint64_t address, std::byte* to, uint64_t size) const {
  // What begins next in the quick copies ends what the file has.
  uint64_t end = address + size;
  for (const std::vector<Quick>& layer : std::ranges::reverse_view(quick_)) {
    const auto next = std::ranges::upper_bound(layer, address, {},
                                               [](const Quick& quick) { return quick.run.end(); });
    if (next == layer.end()) continue;
    if (next->run.address > address) {
      end = std::min(end, next->run.address);
      continue;
    }
    const uint64_t bytes = std::min(end, next->run.end()) - address;
    std::memcpy(to, next->bytes + (address - next->run.address), bytes);
    return static_cast<int64_t>(bytes);
  }
  const auto chunk = chunks_.find(address / kChunkBytes);
  const uint64_t in_chunk = address % kChunkBytes;
  const uint64_t most = std::min(end - address, kChunkBytes - in_chunk);
  const auto is_stored = [&](uint64_t bytes) {
    return chunk != chunks_.end() && chunk->second.stored[(in_chunk + bytes) / kPageSize];
  };
  const bool here = is_stored(0);
  uint64_t bytes = kPageSize;
  while (bytes < most && is_stored(bytes) == here) bytes += kPageSize;
  bytes = std::min(bytes, most);
  if (!here) return -static_cast<int64_t>(bytes);
  constexpr std::string_view kFailure = "cannot read stored memory";
  if (read_at(file_.fd(), reinterpret_cast<char*>(to), bytes, chunk->second.offset + in_chunk,
              kFailure) < bytes) {
    throw Error::system(EIO, std::string(kFailure));
  }
  return static_cast<int64_t>(bytes);
}

}  // namespace still::memory
