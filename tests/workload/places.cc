#include "places.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/format.h"

namespace workload {
namespace {

constexpr size_t kPage = 4096;

// The content of all slots after `step`.
Slots slots_after(uint64_t step) {
  Slots slots;
  for (uint64_t value = step + 1 - kSlots; value <= step; ++value) slots[value % kSlots] = value;
  return slots;
}

[[noreturn]] void throw_errno(const char* call, const std::string& path) {
  throw std::system_error(errno, std::generic_category(), still::formatted("{} {}", call, path));
}

int open_file(const std::string& path, int flags) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC, 0644);
  if (fd < 0) throw_errno("open", path);
  return fd;
}

int creation_flags(Content content) { return content == Content::kNew ? O_CREAT | O_TRUNC : 0; }

// A file that is closed at the end of its block: for the places that open one for each step.
class File {
 public:
  File(std::string path, int flags) : path_(std::move(path)), fd_(open_file(path_, flags)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { close(fd_); }

  void append(uint64_t value) const {
    if (::write(fd_, &value, sizeof value) != sizeof value) throw_errno("write", path_);
  }

  uint64_t size_bytes() const {
    struct stat status;
    if (fstat(fd_, &status) != 0) throw_errno("fstat", path_);
    return static_cast<uint64_t>(status.st_size);
  }

  uint64_t record(uint64_t index) const {
    uint64_t value = 0;
    const ssize_t count =
        pread(fd_, &value, sizeof value, static_cast<off_t>(index * sizeof value));
    if (count < 0) throw_errno("pread", path_);
    if (count != sizeof value)
      throw Inconsistent(still::formatted("{} ends before record {}", path_, index));
    return value;
  }

 private:
  std::string path_;
  int fd_;
};

// A file that must be there; that it is not is the most visible difference of all.
File existing(const std::filesystem::path& path, int flags) try {
  return {path, flags};
} catch (const std::system_error& error) {
  if (error.code() != std::errc::no_such_file_or_directory) throw;
  throw Inconsistent(still::formatted("{} is gone", path.string()));
}

std::string distance(uint64_t found, uint64_t step) {
  if (found > step) return still::formatted("{} ahead of it", found - step);
  if (found < step) return still::formatted("{} behind it", step - found);
  return "with wrong ones before it";
}

std::string list(const Slots& slots) {
  std::string text;
  for (const uint64_t value : slots)
    text += still::formatted("{}{}", text.empty() ? "" : " ", value);
  return text;
}

}  // namespace

void Place::expect(const Slots& found, uint64_t step) const {
  if (found == slots_after(step)) return;
  const uint64_t newest = std::ranges::max(found);
  throw Inconsistent(still::formatted("memory says step {}, {} holds {}, {} (slots: {})", step,
                                      name_, newest, distance(newest, step), list(found)));
}

InPlaceFile::InPlaceFile(const std::filesystem::path& path, Content content)
    : Place(path), fd_(open_file(path, O_RDWR | creation_flags(content))) {
  if (content == Content::kExisting) return;
  for (uint64_t step = 0; step <= kFirstStep; ++step) InPlaceFile::write(step);
}

InPlaceFile::~InPlaceFile() { close(fd_); }

Slots InPlaceFile::read() const {
  Slots slots{};
  const ssize_t count = pread(fd_, slots.data(), sizeof slots, 0);
  if (count < 0) throw_errno("pread", name());
  if (count != sizeof slots)
    throw Inconsistent(
        still::formatted("{} has {} bytes instead of {}", name(), count, sizeof slots));
  return slots;
}

void InPlaceFile::verify(uint64_t step) const { expect(read(), step); }

void InPlaceFile::write(uint64_t step) {
  const auto offset = static_cast<off_t>(step % kSlots * sizeof step);
  if (pwrite(fd_, &step, sizeof step, offset) != sizeof step) throw_errno("pwrite", name());
}

uint64_t InPlaceFile::newest() const { return std::ranges::max(read()); }

// The descriptor is not kept: the mapping alone keeps the file alive, and is all that CRIU sees.
Pages::Pages(const std::filesystem::path& file, Content content) : Place(file.string() + " (map)") {
  const int fd = open_file(file, O_RDWR | creation_flags(content));
  if (content == Content::kNew && ftruncate(fd, kSlots * kPage) != 0) throw_errno("truncate", file);
  void* memory = mmap(nullptr, kSlots * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) throw_errno("mmap", file);
  close(fd);
  memory_ = static_cast<char*>(memory);
  if (content == Content::kNew) fill();
}

Pages::Pages(std::string name) : Place(std::move(name)) {
  void* memory =
      mmap(nullptr, kSlots * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw_errno("mmap", this->name());
  memory_ = static_cast<char*>(memory);
  fill();
}

Pages::~Pages() { munmap(memory_, kSlots * kPage); }

void Pages::fill() {
  for (uint64_t step = 0; step <= kFirstStep; ++step) slot(step) = step;
}

volatile uint64_t& Pages::slot(uint64_t step) const {
  return *reinterpret_cast<volatile uint64_t*>(memory_ + step % kSlots * kPage);
}

Slots Pages::read() const {
  Slots slots{};
  for (uint64_t i = 0; i < kSlots; ++i) slots[i] = slot(i);
  return slots;
}

void Pages::verify(uint64_t step) const { expect(read(), step); }

void Pages::write(uint64_t step) { slot(step) = step; }

uint64_t Pages::newest() const { return std::ranges::max(read()); }

AppendedFile::AppendedFile(std::filesystem::path path, Content content)
    : Place(path), path_(std::move(path)) {
  if (content == Content::kExisting) return;
  const File file(path_, O_WRONLY | O_CREAT | O_TRUNC);
  for (uint64_t step = 0; step <= kFirstStep; ++step) file.append(step);
}

void AppendedFile::verify(uint64_t step) const {
  const File file = existing(path_, O_RDONLY);
  const uint64_t records = step % kRecords + 1;
  const uint64_t found = file.size_bytes();
  if (found != records * sizeof step)
    throw Inconsistent(
        still::formatted("memory says step {} and {} records, {} has {} bytes, {} records", step,
                         records, name(), found, found / sizeof step));
  if (const uint64_t last = file.record(records - 1); last != step)
    throw Inconsistent(still::formatted("memory says step {}, the last record of {} is {}, {}",
                                        step, name(), last, distance(last, step)));
}

void AppendedFile::write(uint64_t step) {
  const int start_again = step % kRecords == 0 ? O_TRUNC : 0;
  existing(path_, O_WRONLY | O_APPEND | start_again).append(step);
}

uint64_t AppendedFile::newest() const {
  const File file = existing(path_, O_RDONLY);
  const uint64_t records = file.size_bytes() / sizeof(uint64_t);
  if (records == 0) throw Inconsistent(still::formatted("{} is empty", name()));
  return file.record(records - 1);
}

ReplacedFile::ReplacedFile(std::filesystem::path path, Content content)
    : Place(path), path_(std::move(path)) {
  if (content == Content::kExisting) return;
  ReplacedFile::write(kFirstStep - 1);
  ReplacedFile::write(kFirstStep);
}

std::filesystem::path ReplacedFile::name_for(uint64_t step) const {
  return still::formatted("{}.{}", path_.string(), step % 2);
}

void ReplacedFile::verify(uint64_t step) const {
  for (const uint64_t expected : {step, step - 1}) {
    const auto path = name_for(expected);
    const uint64_t found = existing(path, O_RDONLY).record(0);
    if (found == expected) continue;
    throw Inconsistent(still::formatted("memory says step {}, {} holds {} instead of {}, {}", step,
                                        path.string(), found, expected, distance(found, expected)));
  }
}

void ReplacedFile::write(uint64_t step) {
  const std::string fresh = path_.string() + ".new";
  const std::string target = name_for(step);
  File(fresh, O_WRONLY | O_CREAT | O_TRUNC).append(step);
  if (rename(fresh.c_str(), target.c_str()) != 0) throw_errno("rename", fresh);
}

uint64_t ReplacedFile::newest() const {
  return std::max(existing(name_for(0), O_RDONLY).record(0),
                  existing(name_for(1), O_RDONLY).record(0));
}

void LeaderEnd::verify(uint64_t step) const {
  if (const uint64_t leader = link_.leader; leader != step)
    throw Inconsistent(still::formatted("private memory says step {}, shared memory {}, {}", step,
                                        leader, distance(leader, step)));
  if (const uint64_t follower = link_.follower; follower > step)
    throw Inconsistent(
        still::formatted("the other process saw step {}, this one is at {}", follower, step));
}

void LeaderEnd::write(uint64_t step) { link_.leader = step; }

void FollowerEnd::verify(uint64_t /*step*/) const {
  if (const uint64_t follower = link_.follower; follower != seen_)
    throw Inconsistent(still::formatted("private memory says that it saw step {}, shared memory {}",
                                        seen_, follower));
  if (const uint64_t leader = link_.leader; leader < seen_)
    throw Inconsistent(
        still::formatted("saw step {} of the other process, which is at {}", seen_, leader));
}

void FollowerEnd::write(uint64_t /*step*/) {
  seen_ = link_.leader;
  link_.follower = seen_;
}

}  // namespace workload
