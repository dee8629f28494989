// Pages of processes, copied one time after the other: what was stored last counts.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "memory/page_run.h"
#include "memory/page_source.h"
#include "memory/protection.h"
#include "os/fd.h"

namespace still::memory {

// The file that they are in, removed with its owner: as big as the memory that was seen, with
// holes.
class PageFile {
 public:
  // Throws Error(kSystem).
  explicit PageFile(std::filesystem::path path);
  PageFile(const PageFile&) = delete;
  PageFile& operator=(const PageFile&) = delete;
  ~PageFile();

  const Fd& fd() const { return fd_; }
  // Offset of a place for so many bytes that nobody else has.
  uint64_t take_place(uint64_t bytes) { return end_.fetch_add(bytes); }

 private:
  const std::filesystem::path path_;
  const Fd fd_;
  std::atomic<uint64_t> end_ = 0;
};

// Memory that is there at once, unlike what is new to us: for copies in the window.
class Reserve {
 public:
  // Throws Error(kSystem) if there is not so much.
  explicit Reserve(uint64_t bytes);
  Reserve(const Reserve&) = delete;
  Reserve& operator=(const Reserve&) = delete;
  ~Reserve();

  // Null: not so much is left.
  std::byte* take(uint64_t bytes);

 private:
  const uint64_t size_;
  std::byte* memory_ = nullptr;
  std::atomic<uint64_t> taken_ = 0;
};

// Those of one process.
class PageStore {
 public:
  explicit PageStore(PageFile& file) : file_(file) {}
  PageStore(const PageStore&) = delete;
  PageStore& operator=(const PageStore&) = delete;

  // Copies what was written to from the process, by several threads. What is not there any more is
  // stored no longer. Throws Error(kSystem).
  void copy(const PageSource& from, const Changes& changes);
  // The same into memory, where a later copy of a page counts more, and any more than those in the
  // file. False if it is too much for the reserve, or not all is there: what is stored of the runs
  // is not right then.
  bool copy_quickly(const PageSource& from, const Changes& changes, Reserve& reserve);
  // Of pages that may have changed those that are not stored as they are. Into memory, as long as
  // the reserve lasts, then into the file; null: into the file alone. Those must be there; returns
  // how many bytes were not stored before. Throws Error(kSystem).
  uint64_t copy_differing(const PageSource& from, const std::vector<PageRun>& pages,
                          Reserve* reserve);
  // What is stored of them is not right any more, nor is any quick copy.
  void forget(const std::vector<PageRun>& runs);

  uint64_t stored_bytes() const;
  // In the order of addresses.
  std::vector<PageRun> stored() const;
  // Stores pages at `to` as far as they are there: returns the bytes from address on for which that
  // holds, or, negative, for which it does not. Throws Error(kSystem).
  int64_t read(uint64_t address, std::byte* to, uint64_t size) const;

 private:
  static constexpr uint64_t kChunkPages = 512;
  static constexpr uint64_t kChunkBytes = kChunkPages * criu::kPageSize;
  struct Chunk {
    uint64_t offset = 0;  // in the file
    std::bitset<kChunkPages> stored;
  };
  struct Quick {
    PageRun run;
    const std::byte* bytes = nullptr;
  };
  void make_room(const Changes& changes);
  void mark(const PageRun& run, bool is_stored);
  // Those of the run, which is stored, whose content is another.
  std::vector<PageRun> differing(const PageRun& run, const std::byte* bytes) const;
  // None crosses the border of a chunk.
  void put(const std::vector<PageRun>& runs, const std::byte* bytes) const;

  PageFile& file_;
  std::map<uint64_t, Chunk> chunks_;  // by address / kChunkBytes
  // Each in the order of addresses; the later ones count more.
  std::vector<std::vector<Quick>> quick_;
};

}  // namespace still::memory
