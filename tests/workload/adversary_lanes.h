// The lanes of the adversary: each attacks one assumption of a checkpointer that copies files while
// the container runs, and copies only what changed when it is frozen.
//
// A lane owns a directory and is one thread's. It knows the exact state of everything in it, and
// compares whatever it is about to change: evidence is never overwritten before it was looked at.
// There is no tolerance: where in a step the thread was stopped is a part of its memory, too.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adversary_tree.h"

namespace workload {

// The same numbers in every copy of the memory; a copy goes on as the original does.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9E37'79B9'7F4A'7C15 | 1) {}
  // From 0 to below `end`.
  uint64_t below(uint64_t end) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return (state_ >> 11) % end;
  }
  bool one_in(uint64_t count) { return below(count) == 0; }

 private:
  uint64_t state_;
};

struct LaneSettings {
  std::string directory;  // to be made by the lane
  size_t files = 64;
  uint64_t seed = 1;
};

class Lane {
 public:
  explicit Lane(const LaneSettings& settings)
      : random_(settings.seed), directory_(settings.directory) {}
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;
  virtual ~Lane() = default;

  // Makes the first state of all in the directory, in place of what was there.
  void begin();
  // Compares what it will change, changes it. Throws Inconsistent, or std::system_error.
  virtual void step() = 0;
  // Compares all, between steps.
  virtual void verify_all() { verify(directory_, *root_); }
  // After the last step.
  virtual void end() {}
  // The next step must follow soon.
  virtual bool is_in_a_hurry() const { return false; }

 protected:
  virtual void fill(Node& root) = 0;

  std::string path(const std::string& name) const { return directory_ + '/' + name; }
  Node& root() { return *root_; }
  NodePtr& entry(const std::string& name) { return root_->entries.at(name); }
  void verify_entry(const std::string& name) { verify(path(name), *entry(name)); }
  // Never given before in this lane.
  uint64_t new_version() { return ++version_; }

  Random random_;

 private:
  std::string directory_;
  NodePtr root_ = new_directory();
  uint64_t version_ = 0;
};

// A lane of files of one size with the names f0, f1...
class FilesLane : public Lane {
 public:
  FilesLane(const LaneSettings& settings, size_t pieces, size_t piece_bytes)
      : Lane(settings), files_(settings.files), pieces_(pieces), piece_bytes_(piece_bytes) {}

  bool is_in_a_hurry() const override { return again_ > 0; }

 protected:
  void fill(Node& root) override;
  // A file to change. One in four is given several times, within few ticks of the clock: what is
  // copied in between and not changed later has the time of a change that came after the copy.
  size_t pick();
  // Another than this.
  size_t pick_other(size_t file) { return (file + 1 + random_.below(files_ - 1)) % files_; }
  static std::string name(size_t file) { return 'f' + std::to_string(file); }
  std::string file_path(size_t file) const { return path(name(file)); }
  Node& node(size_t file) { return *entry(name(file)); }
  void verify_file(size_t file) { verify_entry(name(file)); }
  // With new content in all pieces, and with the time of long ago.
  NodePtr fresh_file(uint64_t id);
  // Says that the times are of long ago, and makes them so.
  void set_times_back(size_t file);

  const size_t files_;

 private:
  const size_t pieces_, piece_bytes_;
  size_t last_ = 0;
  uint64_t again_ = 0;  // how often the last one is still to be given
};

using MakeLane = std::function<std::unique_ptr<Lane>(const LaneSettings&)>;

// By their names on the command line.
const std::map<std::string, MakeLane>& content_lanes();   // what is in files
const std::map<std::string, MakeLane>& name_lanes();      // which files there are
const std::map<std::string, MakeLane>& metadata_lanes();  // what is said of files

// Steps the machine's clock; needs CAP_SYS_TIME.
std::unique_ptr<Lane> make_clock_lane(const LaneSettings& settings);

template <typename LaneType>
MakeLane maker() {
  return [](const LaneSettings& settings) { return std::make_unique<LaneType>(settings); };
}

}  // namespace workload
