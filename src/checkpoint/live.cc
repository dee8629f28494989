// The live checkpoint: the container stands still for the cut and runs on.
#include <fcntl.h>

#include <algorithm>
#include <future>
#include <ranges>

#include "base/error.h"
#include "base/format.h"
#include "base/hooks.h"
#include "base/text.h"
#include "checkpoint/archive_members.h"
#include "checkpoint/archive_writing.h"
#include "checkpoint/describe.h"
#include "checkpoint/ways.h"
#include "criu/preloading.h"
#include "cut/cancellation.h"
#include "cut/criu_files.h"
#include "cut/mapped_files.h"
#include "cut/memory_cut.h"
#include "cut/staging.h"
#include "cut/trees.h"
#include "engine/operation.h"
#include "os/files.h"
#include "os/priority.h"

namespace still::checkpoint {
namespace {

using Sharers = std::vector<engine::Container>;

// The freezers of a container and of those that are frozen with it.
struct Freezers {
  std::unique_ptr<cgroup::Freezer> own;
  std::vector<std::unique_ptr<cgroup::Freezer>> sharers;  // null for one that has none
};

Freezers open_freezers(const engine::Container& container, const Sharers& sharers) {
  if (hooks::freeze_is_off()) return {};
  Freezers freezers{.own = container.freezer(), .sharers = {}};
  if (!freezers.own) return freezers;  // it runs on, and they may as well
  for (const engine::Container& sharer : sharers) freezers.sharers.push_back(sharer.freezer());
  return freezers;
}

std::vector<cgroup::Freezer*> pointers(
    const std::vector<std::unique_ptr<cgroup::Freezer>>& freezers) {
  std::vector<cgroup::Freezer*> result;
  for (const auto& freezer : freezers) {
    if (freezer) result.push_back(freezer.get());
  }
  return result;
}

// All that are frozen; the cgroups know it at once, where a container has one.
std::vector<pid_t> all_processes(const engine::Container& container, const Freezers& freezers) {
  if (!freezers.own) return container.processes();
  std::vector<pid_t> pids = freezers.own->processes();
  for (const cgroup::Freezer* sharer : pointers(freezers.sharers)) {
    const auto more = sharer->processes();
    pids.insert(pids.end(), more.begin(), more.end());
  }
  return pids;
}

// Whether CRIU can get ready before the freeze.
bool can_wait_for_freeze(const Plan& plan) {
  return plan.freezing == Freezing::kFreeze && !hooks::freeze_is_off() &&
         !criu::criu_preload().empty();
}

// What is in the journal before anything is made.
void note_traces(store::JournalEntry& entry, const engine::Container& container,
                 const engine::Layout& layout, const Plan& plan) {
  entry.paths = archive_traces(plan, layout, entry.key);
  const cut::StagingPlace place{layout.staging(container.id(), entry.key)};
  entry.paths.push_back(place.directory);
  if (plan.stock_because.empty()) entry.fork_images = place.images();
  cut::note_lent_cgroup(entry, container);
}

// What is in the journal before anything is frozen.
void note_window(store::JournalEntry& entry, const cut::FreezeWindow& window,
                 const engine::Container& container, const Sharers& sharers,
                 const Freezers& freezers) {
  entry.guardian = identify_process(window.guardian());
  entry.runtime = identify_process(window.runtime());
  const auto note = [&](const engine::Container& one, const cgroup::Freezer& freezer) {
    if (!std::ranges::contains(window.to_freeze(), &freezer)) return;
    entry.cgroups.push_back(engine::identify_cgroup(one, freezer));
  };
  if (freezers.own) note(container, *freezers.own);
  for (size_t i = 0; i < sharers.size(); ++i) {
    if (freezers.sharers[i]) note(sharers[i], *freezers.sharers[i]);
  }
}

struct LiveCut {
  cut::Cut cut;
  uint64_t log_bytes = 0;  // of the container's log; what comes later belongs to its life after it
};

LiveCut take_cut(cut::FreezeWindow& window, const engine::Container& container,
                 const Freezers& freezers, const cut::StagingPlace& staging,
                 cut::TreeCaptures& captures, cut::MemoryCut* memory,
                 cut::Cancellation& cancellation, cut::Observer& observer) {
  const auto log = open_if_exists(container.paths().log(), O_RDONLY);
  LiveCut result;
  cut::WindowWork work{.capture_trees =
                           [&](const Instant& frozen) {
                             const auto mapped = cut::mapped_inodes(
                                 all_processes(container, freezers), container.paths().upper());
                             captures.cut(mapped, frozen);
                           },
                       .watch_trees = [&](const std::stop_token& stop) { captures.watch(stop); },
                       .before_thaw =
                           [&] {
                             result.log_bytes =
                                 log ? static_cast<uint64_t>(stat_fd(*log).st_size) : 0;
                             captures.end();
                           }};
  if (memory != nullptr) {
    work.before_dump = [&] { memory->before_dump(); };
    work.hold = [&] {
      cut::require_images(staging.images());
      memory->hold();
    };
    work.after_thaw = [&] { memory->take(); };
  }
  try {
    result.cut = window.run(work, cancellation, observer);
    cut::require_images(staging.images());
    return result;
  } catch (const Error& error) {
    // CRIU as it is may well succeed.
    if (memory != nullptr && error.kind() == ErrorKind::kRuntime) throw cut::ForkCutFailed(error);
    throw cut::explain_failure(error, oci::dump_log(staging.work()), container.paths().dump_work());
  }
}

// "volume:data: a, b and 3 more", for each tree that has some.
std::string describe_foreign_changes(const Plan& plan,
                                     const std::vector<cut::CapturedTree>& trees) {
  constexpr size_t kNamed = 10;
  std::vector<std::string> parts;
  for (size_t i = 0; i < trees.size(); ++i) {
    const auto& paths = trees[i].foreign_changes;
    if (paths.empty()) continue;
    std::vector<std::string> names;
    for (const std::string& path : paths | std::views::take(kNamed)) {
      names.push_back(printable(path));
    }
    std::string part = plan.trees[i].name + ": " + join(names, ", ");
    if (paths.size() > kNamed) part += formatted(" and {} more", paths.size() - kNamed);
    parts.push_back(std::move(part));
  }
  return join(parts, "; ");
}

std::string why_not_consistent(const cut::Cut& cut, const Plan& plan,
                               const std::vector<cut::CapturedTree>& trees) {
  if (hooks::freeze_is_off()) return {};
  if (!cut.was_frozen) {
    return "the container has no cgroup of its own: it ran on while its files were captured";
  }
  const std::string foreign = describe_foreign_changes(plan, trees);
  if (foreign.empty()) return {};
  return "somebody outside the container changed files while it stood still: " + foreign;
}

void judge(CheckpointResult& result, const Plan& plan, const std::vector<cut::CapturedTree>& trees,
           cut::Observer& observer) {
  result.inconsistent_because = why_not_consistent(result.cut, plan, trees);
  result.consistent = result.inconsistent_because.empty();
  if (result.consistent) return;
  if (plan.options.require_freeze) {
    throw Error(ErrorKind::kConflict, result.inconsistent_because,
                "stop the other writer, or leave --require-freeze out for a checkpoint that is not "
                "certified consistent");
  }
  observer.warning("the checkpoint is not certified consistent: " + result.inconsistent_because);
}

std::map<std::string, cut::CapturedTree> by_member(const Plan& plan,
                                                   const std::vector<cut::CapturedTree>& trees) {
  std::map<std::string, cut::CapturedTree> result;
  for (size_t i = 0; i < trees.size(); ++i) result[plan.trees[i].member] = trees[i];
  return result;
}

uint64_t write_archive_unlocked(engine::Container& container, const Plan& plan,
                                const ArchiveSources& sources, const archive::Manifest& manifest,
                                cut::Cancellation& cancellation, cut::Observer& observer) {
  uint64_t size_bytes = 0;
  container.unlocked([&] {
    auto writing = std::async(std::launch::async, [&] {
      lower_thread_priority();
      return write_archive(plan, sources, manifest, cancellation, observer);
    });
    size_bytes = writing.get();
  });
  return size_bytes;
}

CheckpointResult take(engine::Container& container, Sharers& sharers, const engine::Layout& layout,
                      store::Store& store, const Plan& plan, cut::Observer& observer) {
  cut::Cancellation cancellation(plan.options.max_pause);
  engine::Operation operation(
      store, engine::kCheckpoint, container,
      [&](store::JournalEntry& entry) { note_traces(entry, container, layout, plan); });
  hooks::reached("in the journal");
  // Everything that can be made before the freeze is made here: the processes first, while no other
  // thread runs, the trees last, so that they have little time to change again.
  const cut::StagingPlace place{layout.staging(container.id(), operation.key())};
  const Freezers freezers = open_freezers(container, sharers);
  const auto lent = cut::lend_cgroup(container);
  const bool by_fork = plan.stock_because.empty();
  const auto gate = can_wait_for_freeze(plan) ? place.gate() : std::filesystem::path();
  cut::FreezeWindow window({.freezer = freezers.own.get(),
                            .sharers = pointers(freezers.sharers),
                            .runtime = container.config().runtime,
                            .dump = cut::checkpoint_command(
                                container, plan.options,
                                {.images = place.images(),
                                 .work = place.work(),
                                 .lent = lent.get(),
                                 .skeleton = by_fork ? std::optional(plan.skeleton) : std::nullopt,
                                 .gate = gate}),
                            .gate = gate,
                            .init = container.record().pid,
                            .freeze_timeout = plan.options.freeze_timeout,
                            .runtime_timeout = plan.options.runtime_timeout});
  operation.update([&](store::JournalEntry& entry) {
    note_window(entry, window, container, sharers, freezers);
  });
  hooks::reached("guarded");
  archive::Manifest manifest = describe(container, plan);
  const cut::Staging staging(place, stages_in_memory(plan) ? plan.options.memory_staging_bytes : 0);
  std::optional<cut::MemoryCut> memory;
  if (by_fork) memory.emplace(container, plan.skeleton, place);
  cut::TreeCaptures captures(plan.trees, staging, cancellation);
  hooks::reached("staged");
  if (memory) memory->prepare();
  captures.prepare(observer);
  hooks::reached("prepared");

  CheckpointResult result;
  const LiveCut live = take_cut(window, container, freezers, place, captures,
                                memory ? &*memory : nullptr, cancellation, observer);
  hooks::reached("thawed");
  operation.update([](store::JournalEntry& entry) { entry.cgroups.clear(); });
  window.dismiss_guardian();
  sharers.clear();
  result.cut = live.cut;
  result.stock_because = plan.stock_because;
  if (memory) {
    const cut::StepScope step(observer, cut::Step::kMerge);
    result.memory = memory->merge(cancellation);
    memory.reset();
  }
  hooks::reached("merged");

  result.cut_pass = captures.last_pass();
  const auto trees = captures.results(live.cut.was_frozen);
  judge(result, plan, trees, observer);
  // CRIU 4.1.1 writes no times of its own when it has kept pages.
  if (!by_fork || plan.skeleton != memory::Skeleton::kLazyPages) {
    result.criu = criu::read_dump_statistics(place.work() / kStatisticsMember);
  }
  describe_result(manifest, result);
  const auto log = plan.options.keep
                       ? cut::keep_criu_files(place.work(), container.paths().dump_work())
                       : std::filesystem::path();
  ArchiveSources sources = gather_sources(container, plan, layout, operation.key(), place.images(),
                                          place.work(), by_member(plan, trees));
  sources.log_bytes = live.log_bytes;
  sources.use_up_images = true;
  hooks::reached("released");
  result.archive_bytes =
      write_archive_unlocked(container, plan, sources, manifest, cancellation, observer);
  hooks::reached("written");
  container.record_checkpoint(plan.target, log);
  return result;
}

}  // namespace

CheckpointResult take_live(engine::Container& container, Sharers& sharers,
                           const engine::Layout& layout, store::Store& store, const Plan& plan,
                           cut::Observer& observer) {
  try {
    return take(container, sharers, layout, store, plan, observer);
  } catch (const cut::ForkCutFailed& error) {
    if (plan.options.memory_cut == MemoryWay::kFork) throw;
    Plan stock = plan;
    stock.stock_because = "the cut by forks failed: " + error.message();
    observer.warning(stock.stock_because + "; once more, with CRIU as it is");
    return take(container, sharers, layout, store, stock, observer);
  }
}

}  // namespace still::checkpoint
