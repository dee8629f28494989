#include "cut/by_fork.h"

#include <algorithm>

#include "base/error.h"
#include "base/hooks.h"
#include "criu/memory_images.h"
#include "criu/wiped_memory.h"
#include "memory/copy_snapshot.h"
#include "memory/soft_dirty.h"
#include "os/files.h"
#include "os/parallel.h"

namespace still::cut {
namespace {

// How long the threads may take to stop, and the kernel to make a fork of gigabytes.
constexpr std::chrono::seconds kTakeTimeout{10};

// What throws becomes Error(kAnotherWay).
template <typename Work>
auto attempt(const Work& work) try {
  return work();
} catch (const Error& error) {
  if (error.kind() == ErrorKind::kInterrupted) throw;
  throw Error(ErrorKind::kAnotherWay, error.message(), error.hint());
}

}  // namespace

ForkWay::ForkWay(memory::Skeleton skeleton, const subject::Subject& subject, StagingPlace place)
    : skeleton_(skeleton), subject_(subject), place_(std::move(place)) {}

void ForkWay::prepare() {
  attempt([&] {
    const auto processes = subject::divided_processes_of(subject_).tree;
    copy_.prepare(processes);
    if (skeleton_ != memory::Skeleton::kParentImage) return;
    make_directory(place_.parent(), 0700);
    known_ = memory::inner_pids(processes);
    criu::write_complete_parent(place_.parent(), known_);
    kernel_tracks_changes_ = memory::kernel_tracks_changes();
  });
}

void ForkWay::before_dump() {
  attempt([&] {
    processes_ = subject::divide(subject::freezer_of(subject_)->processes(), subject_.init.pid);
    if (skeleton_ != memory::Skeleton::kParentImage) return;
    const std::vector<pid_t>& dumped = processes_.tree;
    for (const pid_t pid : memory::inner_pids(dumped)) {
      if (!std::ranges::contains(known_, pid)) criu::write_complete_page_map(place_.parent(), pid);
    }
    if (!kernel_tracks_changes_) return;
    parallel_for(dumped.size(), 1, processor_count(), [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) memory::forget_changes(dumped[i]);
    });
  });
}

void ForkWay::hold() {
  attempt([&] { copy_.hold(processes_.tree, place_.images(), processes_.sessions); });
}

void ForkWay::after_thaw(Deadline pause_limit) {
  attempt([&] {
    try {
      copy_.take(std::min(deadline_in(kTakeTimeout), pause_limit));
      hooks::reached("forked");
    } catch (...) {
      copy_.let_go();
      throw;
    }
    copy_.let_go();
  });
}

void ForkWay::keep() {
  attempt([&] { copy_.keep(deadline_in(kTakeTimeout)); });
}

memory::MergeTotals ForkWay::finish(Cancellation& cancellation, Observer& observer) {
  const StepScope step(observer, Step::kMerge);
  return attempt([&] {
    hooks::reached("copied");
    const auto totals = memory::merge(place_.images(), memory::snapshots_of(copy_.copies()),
                                      [&] { cancellation.check(); });
    criu::WipedMemory wiped;
    for (const memory::Copy& copy : copy_.copies()) wiped[copy.process] = copy.wiped;
    criu::note_wiped_memory(place_.images(), wiped);
    copy_.end();
    remove_tree(place_.parent());
    return totals;
  });
}

}  // namespace still::cut
