#include "memory/shared_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>

#include "base/error.h"
#include "base/format.h"
#include "base/hooks.h"
#include "base/log.h"
#include "criu/memory_images.h"
#include "os/content.h"
#include "os/files.h"
#include "os/parallel.h"

namespace still::memory {
namespace {

constexpr std::string_view kAnonymous = "/dev/zero";  // as the kernel names it

// More are left to CRIU: its library has room for the list of so many.
constexpr size_t kMostObjects = 1000;
// To note a page that a process has never touched takes 8 bytes of its page tables.
constexpr uint64_t kTablePart = 512;
constexpr uint64_t kMostTables = uint64_t{128} << 20;
constexpr uint64_t kLeastReserve = uint64_t{16} << 20;
constexpr uint64_t kMostReserve = uint64_t{256} << 20;

constexpr size_t kPieceBytes = size_t{1} << 20;

std::vector<PageRun> offsets(const SharedMapping& mapping, std::vector<PageRun> addresses) {
  for (PageRun& run : addresses) run.address = run.address - mapping.pages.address + mapping.offset;
  return addresses;
}

// A piece of the pages, and where it is in the image.
struct Piece {
  PageRun run;
  uint64_t offset = 0;
};

void write_pieces(const PageStore& store, const std::vector<Piece>& pieces, const Fd& to) {
  parallel_for(pieces.size(), 1, processor_count(), [&](size_t begin, size_t end) {
    std::vector<std::byte> bytes(kPieceBytes);
    for (size_t i = begin; i < end; ++i) {
      const uint64_t size = pieces[i].run.bytes();
      for (uint64_t done = 0; done < size;) {
        const int64_t got =
            store.read(pieces[i].run.address + done, bytes.data() + done, size - done);
        if (got < 0) throw Error(ErrorKind::kConflict, "shared memory was not copied");
        done += static_cast<uint64_t>(got);
      }
      write_at(to, {reinterpret_cast<const char*>(bytes.data()), size}, pieces[i].offset,
               "cannot write shared memory");
    }
  });
}

}  // namespace

SharedMemory::Object* SharedMemory::find(uint64_t inode) {
  const auto found = objects_.find(inode);
  return found == objects_.end() ? nullptr : &found->second;
}

SharedMemory::Object* SharedMemory::add(const std::string& link, const std::string& name) {
  auto file = open_if_exists(link, O_RDONLY | O_NONBLOCK | O_NOATIME);
  if (!file || objects_.size() >= kMostObjects) return nullptr;
  const uint64_t inode = stat_fd(*file).st_ino;
  return &objects_.try_emplace(inode, std::move(*file), name, file_).first->second;
}

void SharedMemory::find_mapped(pid_t process, const std::vector<SharedMapping>& mappings) {
  for (const SharedMapping& mapping : mappings) {
    Object* object = find(mapping.inode);
    if (object == nullptr) {
      object = add(formatted("/proc/{}/map_files/{:x}-{:x}", process, mapping.pages.address,
                             mapping.pages.end()),
                   mapping.name);
      // Only those who have it mapped can write to it.
      if (object != nullptr && mapping.name.starts_with(kAnonymous)) {
        object->watch.emplace(object->file.fd(),
                              static_cast<uint64_t>(object->file.status().st_size));
      }
    }
    if (object != nullptr && object->name != mapping.name) object->is_ambiguous = true;
  }
}

void SharedMemory::find_descriptors(const std::vector<pid_t>& processes) {
  for (const pid_t process : processes) {
    std::error_code gone;
    for (const auto& entry :
         std::filesystem::directory_iterator(formatted("/proc/{}/fd", process), gone)) {
      const std::string name = std::filesystem::read_symlink(entry.path(), gone).native();
      if (!gone && name.starts_with("/memfd:") && is_shared_memory(entry.path())) {
        add(entry.path(), name);
      }
    }
  }
}

void SharedMemory::note_births() { born_ = !births_.none_since() || born_; }

void SharedMemory::note_lost_places(const Places& now) {
  lost_.clear();
  for (const auto& [place, runs] : places_) {
    const auto found = now.find(place);
    if (found != now.end() && pages_without(runs, found->second).empty()) continue;
    lost_.insert(std::get<1>(place));
  }
}

bool SharedMemory::is_seen(uint64_t inode, const Object& object) const {
  return object.watch && object.is_copied && !born_ && !is_written_unseen_ &&
         !lost_.contains(inode);
}

std::vector<PageRun> SharedMemory::to_look_at(const Object& object, bool is_seen,
                                              std::vector<PageRun> unprotected) const {
  if (object.is_copied && object.file.is_sealed()) return {};
  if (!is_seen) return object.pages;
  std::ranges::move(object.watch->unwatched(object.pages), std::back_inserter(unprotected));
  return common_pages(united(std::move(unprotected)), object.pages);
}

uint64_t SharedMemory::round(const std::vector<Mapper>& processes) {
  // What comes later than a question is an answer to the next one.
  note_births();
  Places places;
  Offsets unprotected;
  uint64_t tables = 0;
  for (const Mapper& process : processes) {
    const auto mappings = shared_mappings(process.pid);
    find_mapped(process.pid, mappings);
    for (const SharedMapping& mapping : mappings) {
      Object* const object = find(mapping.inode);
      if (object == nullptr || !object->watch) continue;
      tables += mapping.pages.bytes() / kTablePart;
      if (tables > kMostTables) object->watch.reset();
      append(places[{process.pid, mapping.inode, mapping.pages.address - mapping.offset}],
             mapping.pages);
    }
  }
  note_lost_places(places);
  std::map<uint64_t, bool> seen;
  for (auto& [inode, object] : objects_) seen[inode] = is_seen(inode, object);
  for (const Mapper& process : processes) {
    for (const SharedMapping& mapping : shared_mappings(process.pid)) {
      const Object* const object = find(mapping.inode);
      if (object == nullptr || !object->watch) continue;
      std::ranges::move(offsets(mapping, process.protection.take_unprotected(mapping.pages)),
                        std::back_inserter(unprotected[mapping.inode]));
    }
  }
  places_ = std::move(places);
  born_ = false;

  last_bytes_ = 0;
  for (auto& [inode, object] : objects_) {
    try {
      object.pages = object.file.pages();
      const auto pages = to_look_at(object, seen[inode], std::move(unprotected[inode]));
      object.is_copied = false;
      if (object.watch) object.watch->watch(object.pages);
      last_bytes_ += object.store.copy_differing(object.file, pages, nullptr);
      object.is_copied = true;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kInternal) throw;
      log(LogLevel::kInfo, error.message());  // it is being cut just now
    }
  }
  return last_bytes_;
}

bool SharedMemory::is_behind() {
  note_births();
  return born_ && std::ranges::any_of(objects_,
                                      [](const auto& one) { return one.second.watch.has_value(); });
}

void SharedMemory::get_ready() {
  reserve_.emplace(std::clamp(2 * last_bytes_, kLeastReserve, kMostReserve));
}

void SharedMemory::begin_last() { note_births(); }

void SharedMemory::copy_last(const std::vector<pid_t>& all, const std::vector<pid_t>& dumped) {
  struct Mapped {
    pid_t process = 0;
    SharedMapping mapping;
  };
  std::vector<Mapped> mapped;
  Places places;
  for (const pid_t process : all) {
    const bool is_dumped = std::ranges::contains(dumped, process);
    for (const SharedMapping& mapping : shared_mappings(process)) {
      Object* const object = find(mapping.inode);
      if (object == nullptr) continue;
      if (object->name != mapping.name) object->is_ambiguous = true;
      if (is_dumped) {
        object->mapped_bytes =
            std::max(object->mapped_bytes, mapping.offset + mapping.pages.bytes());
      }
      if (!object->watch) continue;
      append(places[{process, mapping.inode, mapping.pages.address - mapping.offset}],
             mapping.pages);
      mapped.push_back({process, mapping});
    }
  }
  note_lost_places(places);
  Offsets unprotected;
  std::mutex lock;
  parallel_for(mapped.size(), 1, processor_count(), [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const SharedMapping& mapping = mapped[i].mapping;
      auto pages = offsets(mapping, unprotected_pages(mapped[i].process, mapping.pages));
      const std::scoped_lock hold(lock);
      std::ranges::move(pages, std::back_inserter(unprotected[mapping.inode]));
    }
  });
  for (auto& [inode, object] : objects_) {
    object.pages = object.file.pages();
    if (hooks::last_copy_is_off()) continue;
    auto pages = to_look_at(object, is_seen(inode, object), std::move(unprotected[inode]));
    // Those too that came without having been written to.
    std::ranges::move(pages_without(object.pages, object.store.stored()),
                      std::back_inserter(pages));
    pages = united(std::move(pages));
    looked_at_bytes_ += total_bytes(pages);
    object.store.copy_differing(object.file, pages, &*reserve_);
  }
}

std::string SharedMemory::list() const {
  std::string lines;
  for (const auto& [inode, object] : objects_) {
    if (!object.is_ambiguous) lines += formatted("{} {}\n", object.file.status().st_dev, inode);
  }
  return lines;
}

// CRIU's restore ends where a run reaches beyond what is mapped of anonymous memory.
std::vector<PageRun> SharedMemory::Object::pages_in_images() const {
  auto there = hooks::last_copy_is_off() ? common_pages(pages, store.stored()) : pages;
  if (!name.starts_with(kAnonymous)) return there;
  return common_pages(there, {run_between(0, mapped_bytes)});
}

uint64_t SharedMemory::Object::write_into(const std::filesystem::path& images,
                                          criu::PageMap map) const {
  std::vector<Piece> pieces;
  uint64_t bytes = 0;
  for (const PageRun& run : pages_in_images()) {
    map.ranges.push_back({.address = run.address, .pages = run.pages, .flags = criu::kPresent});
    for (uint64_t at = run.address; at < run.end(); at += kPieceBytes) {
      pieces.push_back({run_between(at, std::min(run.end(), at + kPieceBytes)), bytes});
      bytes += pieces.back().run.bytes();
    }
  }
  write_pieces(store, pieces,
               open_file(criu::pages_file(images, map.pages_id), O_WRONLY | O_CREAT, 0600));
  criu::write_shared_page_map(images, file.status().st_ino, map);
  return bytes;
}

uint64_t SharedMemory::complete(const std::filesystem::path& images) const {
  uint64_t bytes = 0;
  for (const auto& [inode, object] : objects_) {
    if (object.is_ambiguous || !criu::has_shared_page_map(images, inode)) continue;
    const auto map = criu::read_shared_page_map(images, inode);
    if (map.ranges.empty()) bytes += object.write_into(images, map);
  }
  return bytes;
}

}  // namespace still::memory
