#include "checkpoint/live.h"

// The live checkpoint: the container stands still for the cut and runs on.
#include <algorithm>
#include <future>
#include <ranges>

#include "archive/members.h"
#include "base/error.h"
#include "base/format.h"
#include "base/hooks.h"
#include "base/text.h"
#include "cgroup/shelter.h"
#include "checkpoint/archive_writing.h"
#include "checkpoint/describe.h"
#include "checkpoint/estimate.h"
#include "checkpoint/leftovers.h"
#include "checkpoint/trial.h"
#include "criu/affinity.h"
#include "criu/criu.h"
#include "criu/failure.h"
#include "criu/preloading.h"
#include "criu/wiped_memory.h"
#include "cut/cancellation.h"
#include "cut/dump_command.h"
#include "cut/leftovers.h"
#include "cut/staging.h"
#include "cut/trees.h"
#include "journal/operation.h"
#include "journal/paths.h"
#include "os/files.h"
#include "os/priority.h"
#include "os/signals.h"

namespace still::checkpoint {
namespace {

// The freezers of a container and of those that are frozen with it.
struct Freezers {
  std::unique_ptr<cgroup::Freezer> own;
  std::vector<std::unique_ptr<cgroup::Freezer>> sharers;  // null for one that has none
};

Freezers open_freezers(const subject::Group& group) {
  if (hooks::freeze_is_off()) return {};
  Freezers freezers{.own = subject::freezer_of(group.container->subject()), .sharers = {}};
  if (!freezers.own) return freezers;  // it runs on, and they may as well
  for (const auto& sharer : group.sharers) {
    freezers.sharers.push_back(subject::freezer_of(sharer->subject()));
  }
  return freezers;
}

// The container's own; its cgroup knows them at once, where it has one.
std::vector<pid_t> own_processes(const subject::Subject& subject, const Freezers& freezers) {
  return freezers.own ? freezers.own->processes() : subject::processes_of(subject);
}

// All that are frozen.
std::vector<pid_t> with_sharers(std::vector<pid_t> own, const Freezers& freezers) {
  for (const auto& sharer : freezers.sharers) {
    if (!sharer) continue;
    const auto more = sharer->processes();
    own.insert(own.end(), more.begin(), more.end());
  }
  return own;
}

void say_left_out(const std::vector<std::string>& sessions, cut::Observer& observer) {
  if (sessions.empty()) return;
  constexpr size_t kNamed = 5;
  const std::vector<std::string> named(sessions.begin(),
                                       sessions.begin() + std::min(kNamed, sessions.size()));
  std::string names = join(named, ", ");
  if (sessions.size() > kNamed) names += formatted(" and {} more", sessions.size() - kNamed);
  observer.warning(
      "processes that exec brought into the container are not in the checkpoint, and go on: " +
      names);
}

// Whether CRIU can get ready before the freeze.
bool can_wait_for_freeze(const Plan& plan) {
  return plan.freezing == Freezing::kFreeze && !hooks::freeze_is_off() &&
         !criu::criu_preload().empty();
}

std::optional<memory::Skeleton> skeleton_of(const cut::MemoryChoice& choice) {
  using Skeleton = std::optional<memory::Skeleton>;
  return cut::on(
      choice, [](const cut::ByCriu&) -> Skeleton { return std::nullopt; },
      [](const cut::ByFork& by) -> Skeleton { return by.skeleton; },
      [](const cut::ByProtection& by) -> Skeleton { return by.skeleton; });
}

// The container with its dump first, then those that stand still for its sake.
std::vector<cut::Member> members_of(cut::Dump dump, const Freezers& freezers) {
  std::vector<cut::Member> members = {{.freezer = freezers.own.get(), .dump = std::move(dump)}};
  for (const auto& sharer : freezers.sharers) members.push_back({.freezer = sharer.get()});
  return members;
}

// What is in the journal before anything is made.
void note_traces(journal::Entry& entry, const subject::Subject& subject,
                 const store::Layout& layout, const Plan& plan) {
  for (const auto& path : archive_traces(plan, layout, entry.key)) {
    entry.add(journal::path_step(path));
  }
  const cut::StagingPlace place{layout.staging(subject.id, entry.key)};
  entry.add(journal::path_step(place.directory));
  if (!subject.room.empty()) entry.add(room_step(subject.room));
  if (plan.options.verify_restore) note_trial(entry, trial_place(layout.staging(), entry.key));
  entry.add(cut::shelter_step(cut::shelter_path(entry.key)));
  cut::note_lent_cgroup(entry, subject);
  if (skeleton_of(plan.memory)) entry.add(cut::copies_step(place.images()));
}

// What is in the journal before anything is frozen.
void note_window(journal::Entry& entry, const cut::Window& window, const subject::Group& group,
                 const Freezers& freezers) {
  entry.guardian = identify_process(window.guardian());
  entry.runtime = identify_process(window.runtimes().front());
  const auto note = [&](const subject::Subject& one, const cgroup::Freezer& freezer) {
    if (!std::ranges::contains(window.to_freeze(), &freezer)) return;
    entry.add(cut::frozen_step(one, freezer));
  };
  for (size_t i = 0; i < freezers.sharers.size(); ++i) {
    if (freezers.sharers[i]) note(group.sharers[i]->subject(), *freezers.sharers[i]);
  }
  // The last one, and so the first to be thawed.
  if (freezers.own) note(group.container->subject(), *freezers.own);
}

// What the user is told; CRIU's log is about to vanish with the staging directory.
Error explain(const Error& error, const Plan& plan, const subject::Subject& subject,
              const cut::StagingPlace& staging) {
  const auto log = oci::dump_log(staging.work());
  return skeleton_of(plan.memory)
             ? criu::explain_failure_without_memory(error, log, subject.dump_work)
             : criu::explain_failure(error, log, subject.dump_work);
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
    std::string part = name_of(plan.trees[i].tree) + ": " + join(names, ", ");
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

// Why no restore brings back what was captured; empty: nothing is known to be in the way.
std::string why_not_restorable(const subject::Subject& subject, const Plan& plan,
                               const std::filesystem::path& images,
                               const std::vector<cut::CapturedTree>& trees,
                               const std::filesystem::path& place) try {
  Trial trial{.subject = subject, .options = plan.options, .images = images, .trees = {}};
  for (size_t i = 0; i < trees.size(); ++i) {
    trial.trees.emplace_back(plan.trees[i].tree, trees[i].path);
  }
  require_restorable(trial, place);
  return {};
} catch (const Error& error) {
  if (error.kind() != ErrorKind::kUnsupported) throw;
  return error.message();
}

void judge(CheckpointResult& result, const Plan& plan, cut::Observer& observer) {
  result.consistent = result.inconsistent_because.empty();
  if (result.consistent) return;
  if (plan.options.require_freeze) {
    throw Error(ErrorKind::kConflict, result.inconsistent_because,
                "see to that, or leave --require-freeze out for a checkpoint that is not certified "
                "consistent");
  }
  observer.warning("the checkpoint is not certified consistent: " + result.inconsistent_because);
}

std::map<std::string, cut::CapturedTree> by_member(const Plan& plan,
                                                   const std::vector<cut::CapturedTree>& trees) {
  std::map<std::string, cut::CapturedTree> result;
  for (size_t i = 0; i < trees.size(); ++i) result[cut::member_of(plan.trees[i].tree)] = trees[i];
  return result;
}

uint64_t write_archive_unlocked(subject::Held& container, const Plan& plan,
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

CheckpointResult take(subject::Group& group, const journal::Host& host, const Plan& plan,
                      cut::Cancellation& cancellation, cut::Observer& observer) {
  subject::Held& container = *group.container;
  const subject::Subject& subject = container.subject();
  journal::Operation operation(
      host.store,
      {.operation = kOperation,
       .container_id = subject.id,
       .container_name = subject.name,
       .init = subject.init},
      [&](journal::Entry& entry) { note_traces(entry, subject, host.layout, plan); });
  hooks::reached("in the journal");
  // Everything that can be made before the freeze is made here: the processes first, while no other
  // thread runs, the trees last, so that they have little time to change again.
  const cut::StagingPlace place{host.layout.staging(subject.id, operation.key())};
  const Freezers freezers = open_freezers(group);
  const auto lent = cut::lend_cgroup(subject);
  const auto gate = can_wait_for_freeze(plan) ? place.gate() : std::filesystem::path();
  const Command dump = cut::dump_command(subject, *container.runtime(),
                                         {.leave_running = true,
                                          .tcp_established = plan.options.tcp_established,
                                          .file_locks = plan.options.file_locks,
                                          .images = place.images(),
                                          .work = place.work(),
                                          .lent = lent.get(),
                                          .skeleton = skeleton_of(plan.memory),
                                          .gate = gate});
  const cgroup::Shelter shelter(cut::shelter_path(operation.key()));
  cut::Window window(
      members_of(
          {.runtime = subject.runtime, .command = dump, .gate = gate, .init = subject.init.pid},
          freezers),
      {.freeze = plan.options.freeze_timeout, .runtime = plan.options.runtime_timeout});
  shelter.take_in(window.guardian());
  for (const pid_t runtime : window.runtimes()) shelter.take_in(runtime);
  operation.update([&](journal::Entry& entry) { note_window(entry, window, group, freezers); });
  hooks::reached("guarded");
  archive::Manifest manifest = describe(container, plan);
  const cut::Staging staging(place, stages_in_memory(plan) ? plan.options.memory_staging_bytes : 0);
  auto memory = cut::MemoryWay::open(plan.memory, subject, place);
  CheckpointResult result{.memory_choice = plan.memory};
  criu::Affinities affinities;
  criu::WipedMemory wiped;
  // Asked for while all stands still.
  const auto look_at_processes = [&] {
    auto own = own_processes(subject, freezers);
    result.left_out = subject::describe(subject::divide(own, subject.init.pid).sessions);
    affinities = criu::read_affinities(own, subject.init.pid);
    // Copies tell of it afterwards.
    if (!std::holds_alternative<cut::ByFork>(plan.memory)) wiped = criu::read_wiped_memory(own);
    return with_sharers(std::move(own), freezers);
  };
  std::optional<cut::DeletedFiles> deleted;
  if (copies_deleted_files(plan)) deleted.emplace(subject, place, cancellation.token());
  cut::TreeCaptures captures(plan.trees, subject.log, look_at_processes, staging, cancellation,
                             deleted ? &*deleted : nullptr);
  hooks::reached("staged");
  memory->prepare(cancellation);
  captures.prepare(observer);
  memory->catch_up(cancellation);
  hooks::reached("prepared");

  std::optional<DeferStops> no_stops(std::in_place);
  try {
    result.cut = window.run({{.memory = *memory, .trees = captures}}, cancellation, observer);
    cut::require_images(place.images());
    if (!plan.options.tcp_established) cut::require_no_connections(place.images());
  } catch (const Error& error) {
    throw explain(error, plan, subject, place);
  }
  memory->keep();
  no_stops.reset();
  hooks::reached("thawed");
  operation.update([](journal::Entry& entry) { entry.remove(cut::kFrozenStep); });
  window.release_guardian();
  group.sharers.clear();
  container.confirm();
  result.memory = memory->finish(cancellation, observer);
  memory.reset();
  window.dismiss_guardian();
  if (deleted) deleted->complete(place.images());
  deleted.reset();
  hooks::reached("merged");
  cut::begin_calls_anew(place.images(), observer);
  criu::write_affinities(place.images(), affinities);
  criu::note_wiped_memory(place.images(), wiped);

  say_left_out(result.left_out, observer);
  result.cut_pass = captures.last_pass();
  const auto trees = captures.results(result.cut.was_frozen);
  result.inconsistent_because = why_not_consistent(result.cut, plan, trees);
  if (result.inconsistent_because.empty()) {
    result.inconsistent_because = why_not_restorable(
        subject, plan, place.images(), trees, trial_place(host.layout.staging(), operation.key()));
  }
  judge(result, plan, observer);
  // CRIU 4.1.1 writes no times of its own when it has kept pages.
  if (skeleton_of(plan.memory) != memory::Skeleton::kLazyPages) {
    result.criu =
        criu::read_dump_statistics(place.work() / name_of(archive::MemberKind::kStatistics));
  }
  describe_result(manifest, result);
  const auto log = plan.options.keep ? criu::keep_criu_files(place.work(), subject.dump_work)
                                     : std::filesystem::path();
  ArchiveSources sources = gather_sources(subject, host.layout, operation.key(), place.images(),
                                          place.work(), by_member(plan, trees));
  sources.log_bytes = captures.log_bytes();
  sources.use_up_images = true;
  hooks::reached("released");
  result.archive_bytes =
      write_archive_unlocked(container, plan, sources, manifest, cancellation, observer);
  hooks::reached("written");
  container.record_checkpoint(plan.target, log);
  return result;
}

}  // namespace

CheckpointResult take_live(subject::Group& group, const journal::Host& host, const Plan& plan,
                           cut::Observer& observer) {
  cut::Cancellation cancellation(plan.options.max_pause);
  try {
    return take(group, host, plan, cancellation, observer);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kAnotherWay || plan.options.memory_cut == MemoryWish::kProtect ||
        plan.options.memory_cut == MemoryWish::kFork) {
      throw;
    }
    Plan stock = plan;
    const std::string because =
        formatted("the cut by {} failed: {}", cut::words_for(plan.memory), error.message());
    stock.memory = cut::ByCriu{because};
    observer.warning(because + "; once more, with CRIU as it is");
    Estimate estimate = expected_pause(stock, host.store.measurements());
    estimate.pause += cancellation.paused();
    require_short_pause(stock, estimate);
    return take(group, host, stock, cancellation, observer);
  }
}

}  // namespace still::checkpoint
