#include "cut/by_fork.h"

#include <algorithm>

#include "base/hooks.h"
#include "criu/wiped_memory.h"
#include "cut/attempt.h"
#include "memory/copy_snapshot.h"

namespace still::cut {

void take_forks(memory::ForkCopy& copy, Deadline pause_limit) {
  try {
    copy.take(std::min(deadline_in(kTakeTimeout), pause_limit));
    hooks::reached("forked");
  } catch (...) {
    copy.let_go();
    throw;
  }
  copy.let_go();
}

ForkWay::ForkWay(memory::Skeleton skeleton, const subject::Subject& subject, StagingPlace place)
    : subject_(subject), place_(std::move(place)), skeleton_(skeleton, place_) {}

void ForkWay::prepare(Cancellation&) {
  attempt([&] {
    const auto processes = subject::divided_processes_of(subject_).tree;
    copy_.prepare(processes);
    skeleton_.prepare(processes);
  });
}

void ForkWay::before_dump() {
  attempt([&] {
    processes_ = subject::divided_processes_in_cgroup(subject_);
    skeleton_.before_dump(processes_.tree);
  });
}

void ForkWay::hold() {
  attempt([&] { copy_.hold(processes_.tree, place_.images(), processes_.sessions); });
}

void ForkWay::after_thaw(Deadline pause_limit) {
  attempt([&] { take_forks(copy_, pause_limit); });
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
    skeleton_.remove();
    return totals;
  });
}

}  // namespace still::cut
