// The places in which a lane of the workload keeps its counter: memory, files, mappings.
//
// Every place holds the last steps, not only the newest: whatever instruction the lane was stopped
// at, and whichever write it does first when it runs on, a copy of the place that is newer or older
// than the lane's memory stays visible. A single value would be overwritten unseen by a lane that
// was stopped between its check and its write.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include "inconsistent.h"

namespace workload {

// Steps that a place remembers. Step `s` is kept in slot `s % kSlots`.
inline constexpr uint64_t kSlots = 8;
// The step at which a place is created: every slot has its value from the beginning.
inline constexpr uint64_t kFirstStep = kSlots - 1;

using Slots = std::array<uint64_t, kSlots>;

// What a place is made from: new, or with the content that is there.
enum class Content { kNew, kExisting };

// Not thread-safe: a place belongs to one lane. System errors are thrown as std::system_error.
class Place {
 public:
  explicit Place(std::string name) : name_(std::move(name)) {}
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  virtual ~Place() = default;

  const std::string& name() const { return name_; }

  // Throws Inconsistent unless this is exactly what the lane left after its write of `step`.
  virtual void verify(uint64_t step) const = 0;
  // Records `step`, the successor of the step written before.
  virtual void write(uint64_t step) = 0;
  // The newest step that the place itself shows, whatever the memory says.
  virtual uint64_t newest() const = 0;

 protected:
  // Throws Inconsistent unless `found` is what is left after `step`.
  void expect(const Slots& found, uint64_t step) const;

 private:
  std::string name_;
};

// A file that stays open and is overwritten in place with pwrite(). Its size never changes: CRIU
// compares the sizes of open files on restore and refuses if one differs, so only such a file lets
// a torn checkpoint be restored at all, and then shows it.
class InPlaceFile : public Place {
 public:
  InPlaceFile(const std::filesystem::path& path, Content content);
  ~InPlaceFile() override;
  void verify(uint64_t step) const override;
  void write(uint64_t step) override;
  uint64_t newest() const override;

 private:
  Slots read() const;
  int fd_;
};

// Pages of memory, each slot on a page of its own: the shared writable mapping of a file, which
// changes without any system call, or private memory of the process.
class Pages : public Place {
 public:
  Pages(const std::filesystem::path& file, Content content);
  explicit Pages(std::string name);
  ~Pages() override;
  void verify(uint64_t step) const override;
  void write(uint64_t step) override;
  uint64_t newest() const override;

 private:
  void fill();
  Slots read() const;
  volatile uint64_t& slot(uint64_t step) const;
  char* memory_;
};

// A file that grows by one record a step and is truncated when it is long. Opened anew for every
// step, so that CRIU's comparison of sizes concerns it only at the moment of a write.
class AppendedFile : public Place {
 public:
  static constexpr uint64_t kRecords = 4096;  // of one round, after which it is truncated

  AppendedFile(std::filesystem::path path, Content content);
  void verify(uint64_t step) const override;
  void write(uint64_t step) override;
  uint64_t newest() const override;

 private:
  std::filesystem::path path_;
};

// Two names in turn, each step a new file renamed onto one of them, as programs save safely.
class ReplacedFile : public Place {
 public:
  ReplacedFile(std::filesystem::path path, Content content);
  void verify(uint64_t step) const override;
  void write(uint64_t step) override;
  uint64_t newest() const override;

 private:
  std::filesystem::path name_for(uint64_t step) const;
  std::filesystem::path path_;
};

// What two lanes in different processes know of each other, in memory that both share.
struct Link {
  alignas(64) std::atomic<uint64_t> leader = kFirstStep;
  alignas(64) std::atomic<uint64_t> follower = kFirstStep;
};

// The leader announces every step before it writes a file.
class LeaderEnd : public Place {
 public:
  LeaderEnd(Link& link, std::string name) : Place(std::move(name)), link_(link) {}
  void verify(uint64_t step) const override;
  void write(uint64_t step) override;
  uint64_t newest() const override { return link_.leader; }

 private:
  Link& link_;
};

// The follower repeats what it saw: it is never ahead of the leader, whose steps it does not share.
class FollowerEnd : public Place {
 public:
  FollowerEnd(Link& link, std::string name) : Place(std::move(name)), link_(link) {}
  void verify(uint64_t step) const override;
  void write(uint64_t step) override;
  uint64_t newest() const override { return link_.follower; }

 private:
  Link& link_;
  uint64_t seen_ = kFirstStep;  // private memory of the follower's process
};

}  // namespace workload
