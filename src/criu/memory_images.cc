#include "criu/memory_images.h"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "base/error.h"
#include "base/format.h"
#include "criu/image.h"
#include "criu/images.pb.h"
#include "os/files.h"

namespace still::criu {
namespace {

// What a VMA is (criu/include/image.h, VMA_...).
constexpr uint32_t kVsyscall = 1U << 2;
constexpr uint32_t kVdso = 1U << 3;
constexpr uint32_t kFilePrivate = 1U << 6;
constexpr uint32_t kAnonymousPrivate = 1U << 9;

constexpr uint64_t kAddressSpace = uint64_t{1} << 47;
constexpr uint64_t kMostPages = uint64_t{1} << 31;  // in a range of CRIU's

constexpr uint32_t kImageVersion = 2;  // CRTOOLS_IMAGES_V1_1
constexpr uint32_t kParentPages = 1;

std::filesystem::path image_of(const std::filesystem::path& images, const char* kind, pid_t pid) {
  return images / formatted("{}-{}.img", kind, pid);
}

std::filesystem::path shared_image_of(const std::filesystem::path& images, uint64_t inode) {
  return images / formatted("pagemap-shmem-{}.img", inode);
}

PageMap read_page_map_of(const std::filesystem::path& file) {
  return parse_page_map(read_file(file), file);
}

void write_page_map_to(const std::filesystem::path& file, const PageMap& map) {
  std::string content = begin_image(kPageMapImage);
  messages::PageMapHead head;
  head.set_pages_id(map.pages_id);
  append_entry(content, head);
  for (const PageRange& range : map.ranges) {
    messages::PageMapEntry entry;
    entry.set_address(range.address);
    entry.set_pages(static_cast<uint32_t>(range.pages));
    entry.set_flags(range.flags);
    append_entry(content, entry);
  }
  write_image(file, content);
}

bool has_advice(const messages::Mapping& mapping, int advice) {
  return (mapping.advice() >> advice & 1) != 0;
}

// CRIU's rule (criu/include/vma.h, vma_entry_can_be_lazy()).
bool can_be_lazy(const messages::Mapping& mapping) {
  constexpr uint32_t kNeeded = MAP_PRIVATE | MAP_ANONYMOUS;
  return (mapping.flags() & (kNeeded | MAP_LOCKED)) == kNeeded &&
         (mapping.status() & (kVdso | kVsyscall)) == 0;
}

}  // namespace

std::vector<DumpedProcess> read_processes(const std::filesystem::path& images) {
  const auto file = images / "pstree.img";
  const std::string content = read_file(file);
  std::vector<DumpedProcess> processes;
  for (const std::string_view entry : image_entries(content, kTreeImage)) {
    const auto tree = parse_entry<messages::Tree>(entry, file);
    DumpedProcess process{.pid = static_cast<pid_t>(tree.pid()), .threads = {}};
    for (const uint32_t thread : tree.threads()) {
      process.threads.push_back(static_cast<pid_t>(thread));
    }
    processes.push_back(std::move(process));
  }
  return processes;
}

bool has_page_map(const std::filesystem::path& images, pid_t pid) {
  return path_exists(image_of(images, "pagemap", pid));
}

PageMap parse_page_map(std::string_view content, const std::filesystem::path& file) {
  const auto entries = image_entries(content, kPageMapImage);
  if (entries.empty()) fail_corrupt_image(file);
  PageMap map{.pages_id = parse_entry<messages::PageMapHead>(entries[0], file).pages_id(),
              .ranges = {}};
  map.ranges.reserve(entries.size() - 1);
  for (size_t i = 1; i < entries.size(); ++i) {
    const auto entry = parse_entry<messages::PageMapEntry>(entries[i], file);
    map.ranges.push_back({entry.address(), entry.pages(), entry.flags()});
  }
  return map;
}

PageMap read_page_map(const std::filesystem::path& images, pid_t pid) {
  return read_page_map_of(image_of(images, "pagemap", pid));
}

void write_page_map(const std::filesystem::path& images, pid_t pid, const PageMap& map) {
  write_page_map_to(image_of(images, "pagemap", pid), map);
}

bool has_shared_page_map(const std::filesystem::path& images, uint64_t inode) {
  return path_exists(shared_image_of(images, inode));
}

PageMap read_shared_page_map(const std::filesystem::path& images, uint64_t inode) {
  return read_page_map_of(shared_image_of(images, inode));
}

void write_shared_page_map(const std::filesystem::path& images, uint64_t inode,
                           const PageMap& map) {
  write_page_map_to(shared_image_of(images, inode), map);
}

std::filesystem::path pages_file(const std::filesystem::path& images, uint32_t pages_id) {
  return images / formatted("pages-{}.img", pages_id);
}

std::vector<Mapping> read_mappings(const std::filesystem::path& images, pid_t pid) {
  const auto mm = read_single<messages::Mm>(image_of(images, "mm", pid), kMmImage);
  std::vector<Mapping> mappings;
  for (const messages::Mapping& mapping : mm.mappings()) {
    mappings.push_back(
        {.start = mapping.start(),
         .end = mapping.end(),
         .anonymous = (mapping.status() & (kAnonymousPrivate | kFilePrivate)) == kAnonymousPrivate,
         .lazy = can_be_lazy(mapping),
         .not_in_fork =
             has_advice(mapping, MADV_DONTFORK) || has_advice(mapping, MADV_WIPEONFORK)});
  }
  std::ranges::sort(mappings, {}, &Mapping::start);
  return mappings;
}

AlternateStack read_alternate_stack(const std::filesystem::path& images, pid_t thread) {
  const auto core = read_single<messages::Core>(image_of(images, "core", thread), kCoreImage);
  const auto& stack = core.thread().alternate_stack();
  constexpr uint32_t kDisabled = 2;  // SS_DISABLE
  if ((stack.flags() & kDisabled) != 0) return {};
  return {stack.start(), stack.size()};
}

void write_complete_parent(const std::filesystem::path& directory, const std::vector<pid_t>& pids) {
  messages::Inventory inventory;
  inventory.set_version(kImageVersion);
  // CRIU dumps processes that were started later than that as a whole.
  constexpr std::chrono::microseconds kNever = std::chrono::hours(24 * 365 * 100);
  inventory.set_dump_uptime(static_cast<uint64_t>(kNever.count()));
  std::string content = begin_image(kInventoryImage);
  append_entry(content, inventory);
  write_image(directory / "inventory.img", content);

  for (const pid_t pid : pids) write_complete_page_map(directory, pid);
  write_image(pages_file(directory, kParentPages), {});
}

void write_complete_page_map(const std::filesystem::path& directory, pid_t pid) {
  PageMap everything{.pages_id = kParentPages, .ranges = {}};
  for (uint64_t address = 0; address < kAddressSpace;) {
    const uint64_t pages = std::min(kMostPages, (kAddressSpace - address) / kPageSize);
    everything.ranges.push_back({address, pages, kPresent});
    address += pages * kPageSize;
  }
  write_page_map(directory, pid, everything);
}

}  // namespace still::criu
