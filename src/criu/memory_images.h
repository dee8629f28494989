// The parts of CRIU's images that say what memory a process had.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace still::criu {

inline constexpr uint64_t kPageSize = 4096;  // of x86-64, the unit of all that follows

// Processes as the dump knows them, by their pids in the container's pid namespace.
struct DumpedProcess {
  pid_t pid = 0;
  std::vector<pid_t> threads;  // its own pid among them
};
// From pstree.img. Throws Error(kCorrupt), Error(kSystem).
std::vector<DumpedProcess> read_processes(const std::filesystem::path& images);

// Whose content is where (pagemap.proto, PE_...).
inline constexpr uint32_t kInParent = 1;  // in the images that these ones are a difference to
inline constexpr uint32_t kLazy = 2;      // may come later, on demand; alone: from a page server
inline constexpr uint32_t kPresent = 4;   // in the file of pages

struct PageRange {
  uint64_t address = 0;
  uint64_t pages = 0;
  uint32_t flags = 0;

  uint64_t end() const { return address + pages * kPageSize; }
  // Its content is somewhere else.
  bool is_missing() const { return (flags & kPresent) == 0; }
};

struct PageMap {
  uint32_t pages_id = 0;  // of pages-N.img
  std::vector<PageRange> ranges;
};
// Whether the images have memory of the process, as they have not of a zombie.
bool has_page_map(const std::filesystem::path& images, pid_t pid);
// pagemap-PID.img of a process. Throws Error(kCorrupt), Error(kSystem).
PageMap read_page_map(const std::filesystem::path& images, pid_t pid);
// The same of the file's content; file is for errors.
PageMap parse_page_map(std::string_view content, const std::filesystem::path& file);
void write_page_map(const std::filesystem::path& images, pid_t pid, const PageMap& map);
// The same of memory that processes share, pagemap-shmem-INODE.img: addresses are offsets in it.
bool has_shared_page_map(const std::filesystem::path& images, uint64_t inode);
PageMap read_shared_page_map(const std::filesystem::path& images, uint64_t inode);
void write_shared_page_map(const std::filesystem::path& images, uint64_t inode, const PageMap& map);
std::filesystem::path pages_file(const std::filesystem::path& images, uint32_t pages_id);

struct Mapping {
  uint64_t start = 0;
  uint64_t end = 0;
  bool anonymous = false;    // private, without a file: a page that is not there reads as zeros
  bool lazy = false;         // its pages may come on demand when it is restored (kLazy)
  bool not_in_fork = false;  // MADV_DONTFORK or MADV_WIPEONFORK
};
// mm-PID.img, in the order of addresses. Throws Error(kCorrupt), Error(kSystem).
std::vector<Mapping> read_mappings(const std::filesystem::path& images, pid_t pid);

// Where the signal handlers of a thread run that want it; size 0: nowhere else than on its stack.
struct AlternateStack {
  uint64_t start = 0;
  uint64_t size = 0;
};
// core-TID.img. Throws Error(kCorrupt), Error(kSystem).
AlternateStack read_alternate_stack(const std::filesystem::path& images, pid_t thread);

// Images for CRIU to be the difference to, that have every page there can be of these processes,
// whatever is in it: in a dump that finds no page changed since then none is copied. The directory
// exists. Throws Error(kSystem).
void write_complete_parent(const std::filesystem::path& directory, const std::vector<pid_t>& pids);
// The same for one more process.
void write_complete_page_map(const std::filesystem::path& directory, pid_t pid);

}  // namespace still::criu
