// Copying one entry of a tree, or bringing an earlier copy up to date. Internal to tree/.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include "os/fd.h"

namespace still::tree {

// What the names of one file have in common: device and inode number.
using Inode = std::pair<dev_t, ino_t>;
inline Inode inode_of(const struct stat& status) { return {status.st_dev, status.st_ino}; }

// Counts the bytes that several threads copy, and ends them when that is requested.
class CopyMonitor {
 public:
  explicit CopyMonitor(std::stop_token stop) : stop_(std::move(stop)) {}
  uint64_t bytes() const { return bytes_; }
  // Both throw Error(kInterrupted) once the stop is requested.
  void add(uint64_t bytes);
  void check() const;

 private:
  const std::stop_token stop_;
  std::atomic<uint64_t> bytes_ = 0;
};

// A regular file for reading, its access time left alone. nullopt if the name has vanished. Throws
// Error(kConflict) if it is no regular file (any more); never blocks, should a FIFO have taken the
// name.
std::optional<Fd> open_content(const Fd& directory, const std::string& name);

// Copies the first size_bytes of source, holes kept, into target, an empty file, which then has
// that size. Returns the bytes of data. A source that turns out to be shorter is no error.
uint64_t copy_content(const Fd& source, const Fd& target, uint64_t size_bytes,
                      CopyMonitor* monitor = nullptr);

// The same into a target that holds an earlier version: what is equal is not written. Where the
// files are large it takes `threads` threads. Returns the bytes of data that were looked at.
uint64_t update_content(const Fd& source, const Fd& target, uint64_t size_bytes, unsigned threads,
                        CopyMonitor& monitor);

// Writes dirty pages of a file to disk and write-protects them where they are mapped, so that every
// later store through a mapping makes a page fault, which changes the file's times. (Linux:
// folio_mkclean() in writeback, file_update_time() in page_mkwrite.)
void write_back(const Fd& file);

// Makes an entry that has no content (link, device, FIFO, socket name); the metadata come after.
void make_special(const Fd& directory, const std::string& name, const Fd& source);

}  // namespace still::tree
