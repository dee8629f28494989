// What differs between two archives.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "archive/reader.h"

namespace still::contents {

enum class Change { kNone, kAdded, kRemoved };

// A process is the same in both if number, name and program are.
struct ComparedProcess {
  Change change = Change::kNone;
  uint32_t pid = 0;
  std::string name;
  std::vector<std::string> command_line;  // as SeenProcess has it
  // Of memory that is in the images. Differing are also pages that one archive has alone.
  uint64_t equal_pages = 0;
  uint64_t differing_pages = 0;
};

// Memory that processes share, by the number that the images have for it.
struct ComparedSharedMemory {
  Change change = Change::kNone;
  uint64_t number = 0;
  uint64_t equal_pages = 0;
  uint64_t differing_pages = 0;
};

// Paths in the tree. Changed is an entry whose kind, content, owner, mode, link target, device or
// attributes differ; the time of its last change does not count.
struct ComparedTree {
  std::string member;
  std::vector<std::string> added;
  std::vector<std::string> changed;
  std::vector<std::string> removed;
};

struct Comparison {
  std::vector<ComparedProcess> processes;  // by number
  std::vector<ComparedSharedMemory> shared_memory;
  std::vector<ComparedTree> trees;  // of either archive, by member
};

// Reads both to their ends. Takes some 1/100 of their memory, and what their paths take. Throws
// what archive::read_archive does, Error(kCorrupt) for images that say nothing sensible, and
// Error(kUnsupported) for trees whose paths would take more than a gigabyte.
Comparison compare_archives(const std::filesystem::path& before, const std::filesystem::path& after,
                            const archive::ReadOptions& options);

}  // namespace still::contents
