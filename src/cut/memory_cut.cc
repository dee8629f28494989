#include "cut/memory_cut.h"

#include <algorithm>

#include "base/format.h"
#include "base/hooks.h"
#include "base/text.h"
#include "criu/memory_images.h"
#include "memory/ordinary.h"
#include "memory/soft_dirty.h"
#include "os/files.h"
#include "os/parallel.h"

namespace still::cut {
namespace {

// How long the threads may take to stop, and the kernel to make a fork of gigabytes.
constexpr std::chrono::seconds kTakeTimeout{10};

// Forks take 5 to 10 ms of any container; CRIU writes less than this in that time.
constexpr uint64_t kLittleMemory = uint64_t{24} << 20;

// What throws becomes ForkCutFailed.
template <typename Work>
auto attempt(const Work& work) try {
  return work();
} catch (const ForkCutFailed&) {
  throw;
} catch (const Error& error) {
  if (error.kind() == ErrorKind::kInterrupted) throw;
  throw ForkCutFailed(error);
}

// Whatever the machine can do; empty: nothing.
std::string why_stock_memory(const engine::Container& container, const checkpoint::Plan& plan) {
  if (!plan.options.leave_running) return "CRIU ends the container";
  if (plan.options.memory_cut == checkpoint::MemoryWay::kStock) return "asked for";
  if (plan.freezing == checkpoint::Freezing::kAlreadyFrozen) return "the container is paused";
  if (plan.freezing == checkpoint::Freezing::kNone || hooks::freeze_is_off())
    return "it cannot be frozen";
  const auto processes = container.processes();
  if (auto reason = memory::why_not_ordinary(processes); !reason.empty()) return reason;
  const auto room = container.room();
  if (room.processes < processes.size()) {
    return formatted("its limit of processes leaves room for {}, and it has {}", room.processes,
                     processes.size());
  }
  if (room.ends_as_a_whole) return "it is ended as a whole when memory is short (memory.oom.group)";
  if (room.memory_bytes < plan.options.memory_headroom_bytes) {
    return formatted("its limit of memory leaves {}, less than --memory-headroom ({})",
                     human_size(room.memory_bytes), human_size(plan.options.memory_headroom_bytes));
  }
  if (plan.options.memory_cut == checkpoint::MemoryWay::kAuto &&
      plan.memory_bytes < kLittleMemory) {
    return formatted("it has no more than {}, which takes no longer", human_size(kLittleMemory));
  }
  return {};
}

}  // namespace

void decide_memory_cut(checkpoint::Plan& plan, const engine::Container& container,
                       const engine::Layout& layout) {
  plan.stock_because = why_stock_memory(container, plan);
  if (!plan.stock_because.empty()) return;
  const auto answer = memory::find_fork_cut(layout.runroot);
  if (!answer.skeleton) {
    plan.stock_because = answer.reason;
  } else if (answer.skeleton == memory::Skeleton::kLazyPages &&
             container.config().network == "host") {
    plan.stock_because =
        "its network is the host's, where others could ask CRIU for its memory; " + answer.reason;
  } else {
    plan.skeleton = *answer.skeleton;
  }
}

MemoryCut::MemoryCut(const engine::Container& container, memory::Skeleton skeleton,
                     StagingPlace place)
    : container_(container), skeleton_(skeleton), place_(std::move(place)) {}

void MemoryCut::prepare() {
  attempt([&] {
    const auto processes = container_.processes();
    copy_.prepare(processes);
    if (skeleton_ != memory::Skeleton::kParentImage) return;
    make_directory(place_.parent(), 0700);
    known_ = memory::inner_pids(processes);
    criu::write_complete_parent(place_.parent(), known_);
    kernel_tracks_changes_ = memory::kernel_tracks_changes();
  });
}

void MemoryCut::before_dump() {
  attempt([&] {
    processes_ = container_.freezer()->processes();
    if (skeleton_ != memory::Skeleton::kParentImage) return;
    for (const pid_t pid : memory::inner_pids(processes_)) {
      if (!std::ranges::contains(known_, pid)) criu::write_complete_page_map(place_.parent(), pid);
    }
    if (!kernel_tracks_changes_) return;
    parallel_for(processes_.size(), 1, processor_count(), [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) memory::forget_changes(processes_[i]);
    });
  });
}

void MemoryCut::hold() {
  attempt([&] { copy_.hold(processes_, place_.images()); });
}

void MemoryCut::take() {
  attempt([&] {
    const Deadline deadline = deadline_in(kTakeTimeout);
    copy_.take(deadline);
    hooks::reached("forked");
    copy_.let_go();
  });
}

memory::MergeTotals MemoryCut::merge(Cancellation& cancellation) {
  return attempt([&] {
    copy_.keep(deadline_in(kTakeTimeout));
    hooks::reached("copied");
    const auto totals =
        memory::merge(place_.images(), copy_.copies(), [&] { cancellation.check(); });
    copy_.end();
    remove_tree(place_.parent());
    return totals;
  });
}

}  // namespace still::cut
