#include "cut/by_protection.h"

#include <algorithm>

#include "base/hooks.h"
#include "criu/preloading.h"
#include "cut/attempt.h"
#include "memory/copy_snapshot.h"
#include "os/files.h"

namespace still::cut {

ProtectionWay::ProtectionWay(const ByProtection& choice, const subject::Subject& subject,
                             StagingPlace place)
    : skeleton_(choice.skeleton),
      copies_shared_memory_(copies_shared_memory(choice)),
      no_forks_because_(choice.no_forks_because),
      subject_(subject),
      place_(std::move(place)) {}

void ProtectionWay::prepare(Cancellation& cancellation) {
  attempt([&] {
    const auto processes = subject::divided_processes_of(subject_).tree;
    forks_.prepare(processes);
    std::optional<pid_t> first;
    if (copies_shared_memory_) first = subject_.init.pid;
    precopy_.emplace(place_.directory, first);
    precopy_->start(processes, [&] { cancellation.check(); });
    hooks::reached("protected");
  });
}

void ProtectionWay::catch_up(Cancellation& cancellation) {
  attempt([&] {
    precopy_->catch_up([&] { cancellation.check(); });
    hooks::reached("caught up");
  });
}

void ProtectionWay::before_dump() {
  attempt([&] {
    processes_ = subject::divided_processes_in_cgroup(subject_);
    if (const memory::SharedMemory* shared = precopy_->shared()) {
      write_file_atomically(place_.work() / criu::kSharedMemoryFile, shared->list(), 0600);
    }
    precopy_->begin_last(processes_.tree, processes_.sessions);
  });
}

void ProtectionWay::hold() {
  attempt([&] {
    const auto incomplete = precopy_->end_last();
    has_forks_ = !incomplete.empty();
    if (!has_forks_) return;
    if (!no_forks_because_.empty()) {
      throw Error(ErrorKind::kConflict, "it has to be forked, and " + no_forks_because_);
    }
    auto beside = processes_.sessions;
    std::ranges::copy_if(processes_.tree, std::back_inserter(beside), [&](pid_t process) {
      return !std::ranges::contains(incomplete, process);
    });
    forks_.hold(incomplete, place_.images(), beside);
  });
}

void ProtectionWay::after_thaw(Deadline pause_limit) {
  if (!has_forks_) return;
  attempt([&] { take_forks(forks_, pause_limit); });
}

void ProtectionWay::keep() {
  if (!has_forks_) return;
  attempt([&] { forks_.keep(deadline_in(kTakeTimeout)); });
}

memory::MergeTotals ProtectionWay::finish(Cancellation& cancellation, Observer& observer) {
  const StepScope step(observer, Step::kMerge);
  return attempt([&] {
    precopy_->release();
    hooks::reached("copied");
    if (skeleton_ == memory::Skeleton::kNoPages) precopy_->list_pages(place_.images());
    auto totals =
        memory::merge(place_.images(), precopy_->snapshots(memory::snapshots_of(forks_.copies())),
                      [&] { cancellation.check(); });
    if (const memory::SharedMemory* shared = precopy_->shared()) {
      totals.written_bytes += shared->complete(place_.images());
    }
    forks_.end();
    precopy_.reset();
    return totals;
  });
}

}  // namespace still::cut
