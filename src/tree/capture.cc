#include "tree/capture.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/error.h"
#include "os/files.h"
#include "os/share.h"
#include "tree/scan.h"

namespace still::tree {
namespace {

constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

class MirrorCapture final : public Capture {
 public:
  MirrorCapture(const Fd& source, const CapturePlace& place, Precautions precautions,
                const Scratch& scratch, const std::stop_token& stop)
      : prepares_(can_tell_changes(source)),
        mirror_(source, open_at(place.parent, place.name, kDirectory),
                open_at(place.parent, place.spare, kDirectory), precautions, scratch, stop) {}

  PassTotals prepare() override { return prepares_ ? mirror_.follow() : PassTotals{}; }
  bool gains_by_rounds() const override { return prepares_; }

  PassTotals cut(const std::set<ino_t>& suspects, std::chrono::nanoseconds frozen_at) override {
    return mirror_.finish(suspects, frozen_at);
  }

  void check(unsigned threads, const std::stop_token& stop) override {
    mirror_.check(threads, stop);
  }
  std::vector<std::string> foreign_changes(std::chrono::nanoseconds until) const override {
    return mirror_.foreign_changes(until);
  }
  std::map<std::string, uint32_t> inode_flags() const override { return mirror_.inode_flags(); }

  Method method() const override {
    if (!prepares_) return Method::kCopy;
    return mirror_.clones() ? Method::kClone : Method::kPreCopy;
  }
  uint64_t copied_bytes() const override { return mirror_.copied_bytes(); }

 private:
  const bool prepares_;
  Mirror mirror_;
};

class SnapshotCapture final : public Capture {
 public:
  // nullptr if no snapshot can be made after all.
  static std::unique_ptr<Capture> begin(const Fd& source, const CapturePlace& place,
                                        const Scratch& scratch) {
    if (!is_subvolume(source)) return nullptr;
    const std::string trial = place.name + ".trial";
    if (!snapshot_subvolume(source, place.parent, trial)) return nullptr;
    remove_subvolume(place.parent, trial);
    return std::make_unique<SnapshotCapture>(source, place, scratch);
  }

  SnapshotCapture(const Fd& source, const CapturePlace& place, Scratch scratch)
      : source_(source.duplicate()),
        parent_(place.parent.duplicate()),
        name_(place.name),
        scratch_(std::move(scratch)) {}

  // The snapshot writes all dirty pages of the subvolume: few are left in the cut.
  PassTotals prepare() override {
    if (::syncfs(source_.get()) != 0) throw Error::system(errno, "cannot write dirty pages back");
    return {};
  }
  bool gains_by_rounds() const override { return false; }

  PassTotals cut(const std::set<ino_t>&, std::chrono::nanoseconds frozen_at) override {
    frozen_at_ = frozen_at;
    remove_tree_at(parent_, name_);  // empty
    if (!snapshot_subvolume(source_, parent_, name_)) {
      throw Error(ErrorKind::kInternal, "the subvolume cannot be snapshot any more");
    }
    return {};
  }

  // A snapshot cannot change.
  void check(unsigned, const std::stop_token&) override {}

  // In the snapshot, and what was left out of it.
  std::vector<std::string> foreign_changes(std::chrono::nanoseconds until) const override {
    const Fd snapshot = open_at(parent_, name_, kDirectory);
    auto all = changed_between(snapshot, frozen_at_, std::chrono::nanoseconds::max());
    all.merge(changed_between(source_, frozen_at_, until));
    scratch_.leave_out(all, source_);
    return {all.begin(), all.end()};
  }

  // The snapshot has them itself.
  std::map<std::string, uint32_t> inode_flags() const override { return {}; }
  Method method() const override { return Method::kSnapshot; }
  uint64_t copied_bytes() const override { return 0; }

 private:
  const Fd source_;
  const Fd parent_;
  const std::string name_;
  const Scratch scratch_;
  std::chrono::nanoseconds frozen_at_{};
};

}  // namespace

std::unique_ptr<Capture> Capture::begin(Method method, const Fd& source, const CapturePlace& place,
                                        Precautions precautions, const Scratch& scratch,
                                        const std::stop_token& stop) {
  switch (method) {
    case Method::kSnapshot:
      if (auto snapshot = SnapshotCapture::begin(source, place, scratch)) return snapshot;
      break;
    case Method::kCopy:
    case Method::kPreCopy:
    case Method::kClone:
      break;  // the mirror clones where that works, and copies where changes cannot be told
  }
  return std::make_unique<MirrorCapture>(source, place, precautions, scratch, stop);
}

}  // namespace still::tree
