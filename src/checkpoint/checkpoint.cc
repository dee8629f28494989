#include "checkpoint/checkpoint.h"

#include <fcntl.h>

#include <format>
#include <future>
#include <ranges>

#include "archive/tree_tar.h"
#include "base/error.h"
#include "base/text.h"
#include "checkpoint/archive_members.h"
#include "checkpoint/archive_writing.h"
#include "checkpoint/criu_files.h"
#include "checkpoint/describe.h"
#include "checkpoint/hooks.h"
#include "checkpoint/mapped_files.h"
#include "checkpoint/runtime_watch.h"
#include "checkpoint/staging.h"
#include "checkpoint/tree_captures.h"
#include "os/files.h"
#include "os/mount.h"
#include "os/priority.h"

namespace still::checkpoint {
namespace {

Fd open_directory(const std::filesystem::path& path) {
  return open_file(path, O_RDONLY | O_DIRECTORY);
}

void describe_cut(archive::Manifest& manifest, const CheckpointResult& result) {
  manifest.consistent = result.consistent;
  manifest.inconsistent_because = result.inconsistent_because;
  manifest.frozen = result.cut.frozen;
  manifest.dump_start = result.cut.dump_start;
  manifest.dump_end = result.cut.dump_end;
  manifest.cut_end = result.cut.cut_end;
  manifest.thawed = result.cut.thawed;
  manifest.pause = result.cut.pause();
}

// --- live ---

using Sharers = std::vector<engine::Container>;

// The freezers of a container and of those that are frozen with it.
struct Freezers {
  std::unique_ptr<cgroup::Freezer> own;
  std::vector<std::unique_ptr<cgroup::Freezer>> sharers;
};

Freezers open_freezers(const engine::Container& container, const Sharers& sharers) {
  if (hooks::freeze_is_off()) return {};
  Freezers freezers{.own = container.freezer(), .sharers = {}};
  if (!freezers.own) return freezers;  // it runs on, and they may as well
  for (const engine::Container& sharer : sharers) {
    if (auto freezer = sharer.freezer()) freezers.sharers.push_back(std::move(freezer));
  }
  return freezers;
}

std::vector<cgroup::Freezer*> pointers(
    const std::vector<std::unique_ptr<cgroup::Freezer>>& freezers) {
  std::vector<cgroup::Freezer*> result;
  for (const auto& freezer : freezers) result.push_back(freezer.get());
  return result;
}

// All that are frozen; the cgroups know it at once, where a container has one.
std::vector<pid_t> all_processes(const engine::Container& container, const Freezers& freezers) {
  if (!freezers.own) return container.processes();
  std::vector<pid_t> pids = freezers.own->processes();
  for (const auto& sharer : freezers.sharers) {
    const auto more = sharer->processes();
    pids.insert(pids.end(), more.begin(), more.end());
  }
  return pids;
}

struct LiveCut {
  Cut cut;
  uint64_t log_bytes = 0;  // of the container's log; what comes later belongs to its life after it
};

LiveCut take_cut(const engine::Container& container, const Sharers& sharers, const Plan& plan,
                 const Staging& staging, TreeCaptures& captures, Observer& observer) {
  // Everything that can be made before the freeze is made here; the trees last, so that they have
  // little time to change again.
  const Freezers freezers = open_freezers(container, sharers);
  const auto log = open_if_exists(container.paths().log(), O_RDONLY);
  const auto lent = lend_cgroup(container);
  LiveCut result;
  const WindowSettings settings{
      .freezer = freezers.own.get(),
      .sharers = pointers(freezers.sharers),
      .dump =
          checkpoint_command(container, plan.options, staging.images(), staging.work(), lent.get()),
      .init = container.record().pid,
      .capture_trees =
          [&](const Instant& frozen) {
            const auto mapped =
                mapped_inodes(all_processes(container, freezers), container.paths().upper());
            captures.cut(mapped, frozen);
          },
      .watch_trees = [&](const std::stop_token& stop) { captures.watch(stop); },
      .before_thaw =
          [&] {
            result.log_bytes = log ? static_cast<uint64_t>(stat_fd(*log).st_size) : 0;
            captures.end();
          },
      .freeze_timeout = plan.options.freeze_timeout,
      .runtime_timeout = plan.options.runtime_timeout};
  captures.prepare(observer);
  try {
    result.cut = run_freeze_window(settings, observer);
    return result;
  } catch (const Error& error) {
    throw explain_failure(error, oci::dump_log(staging.work()), container.paths().dump_work());
  }
}

// "volume:data: a, b and 3 more", for each tree that has some.
std::string describe_foreign_changes(const Plan& plan, const std::vector<CapturedTree>& trees) {
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
    if (paths.size() > kNamed) part += std::format(" and {} more", paths.size() - kNamed);
    parts.push_back(std::move(part));
  }
  return join(parts, "; ");
}

std::string why_not_consistent(const Cut& cut, const Plan& plan,
                               const std::vector<CapturedTree>& trees) {
  if (hooks::freeze_is_off()) return {};
  if (!cut.was_frozen) {
    return "the container has no cgroup of its own: it ran on while its files were captured";
  }
  const std::string foreign = describe_foreign_changes(plan, trees);
  if (foreign.empty()) return {};
  return "somebody outside the container changed files while it stood still: " + foreign;
}

void judge(CheckpointResult& result, const Plan& plan, const std::vector<CapturedTree>& trees,
           Observer& observer) {
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

std::map<std::string, CapturedTree> by_member(const Plan& plan,
                                              const std::vector<CapturedTree>& trees) {
  std::map<std::string, CapturedTree> result;
  for (size_t i = 0; i < trees.size(); ++i) result[plan.trees[i].member] = trees[i];
  return result;
}

CheckpointResult take_live(engine::Container& container, Sharers& sharers,
                           const engine::Layout& layout, const Plan& plan, Observer& observer) {
  const Staging staging(layout, container.id(),
                        stages_in_memory(plan) ? plan.options.memory_staging_bytes : 0);
  archive::Manifest manifest = describe(container, plan);
  TreeCaptures captures(plan.trees, staging);
  CheckpointResult result;
  const LiveCut live = take_cut(container, sharers, plan, staging, captures, observer);
  sharers.clear();
  result.cut = live.cut;
  result.cut_pass = captures.last_pass();
  const auto trees = captures.results(live.cut.was_frozen);
  judge(result, plan, trees, observer);
  result.criu = oci::read_dump_statistics(staging.work() / kStatisticsMember);
  describe_cut(manifest, result);

  const auto log = plan.options.keep
                       ? keep_criu_files(staging.work(), container.paths().dump_work())
                       : std::filesystem::path();
  ArchiveSources sources =
      gather_sources(container, plan, staging.images(), staging.work(), by_member(plan, trees));
  sources.log_bytes = live.log_bytes;
  sources.use_up_images = true;
  container.unlocked([&] {
    auto writing = std::async(std::launch::async, [&] {
      lower_thread_priority();
      return write_archive(plan, sources, manifest, observer);
    });
    result.archive_bytes = writing.get();
  });
  container.record_checkpoint(plan.target, log);
  return result;
}

// --- default: CRIU ends the container ------------------------------------------------------------

// /dev/shm goes with its mount when the container has ended: its content is kept as a tar file,
// from which both the archive and a restore in place take it.
void save_shm(const engine::ContainerPaths& paths) {
  if (!is_mount_point(paths.shm())) return;
  const Fd file = open_file(paths.shm_content(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  archive::write_tree_tar(open_directory(paths.shm()), {},
                          [&file](std::string_view bytes) { write_all(file, bytes); });
}

// After this the container's memory is in the store and its processes are gone.
Cut dump_and_stop(const engine::Container& container, const Plan& plan, Observer& observer) {
  const StepScope step(observer, Step::kDump);
  const engine::ContainerPaths& paths = container.paths();
  TempDir images(paths.base, "checkpoint-");
  remove_tree(paths.dump_work());
  make_directory(paths.dump_work(), 0700);
  const auto lent = lend_cgroup(container);
  Cut cut;
  cut.dump_start = Instant::now();
  try {
    RuntimeWatch(
        checkpoint_command(container, plan.options, images.path(), paths.dump_work(), lent.get()),
        container.record().pid, plan.options.runtime_timeout)
        .wait();
  } catch (const Error& error) {
    throw explain_failure(error, oci::dump_log(paths.dump_work()), paths.dump_work());
  }
  cut.dump_end = Instant::now();
  save_shm(paths);
  remove_tree(paths.checkpoint());
  std::filesystem::rename(images.keep(), paths.checkpoint());
  return cut;
}

std::map<std::string, CapturedTree> trees_in_place(const engine::Container& container,
                                                   const Plan& plan) {
  std::map<std::string, CapturedTree> trees;
  for (const TreePlan& tree : plan.trees) {
    const bool is_shm = tree.member == kShmMember;
    trees[tree.member] = {.path = is_shm ? container.paths().shm_content() : tree.source,
                          .method = "in-place",
                          .foreign_changes = {}};
  }
  return trees;
}

void export_stopped(const engine::Container& container, const Plan& plan,
                    const ArchiveSources& sources, const archive::Manifest& manifest,
                    CheckpointResult& result, Observer& observer) try {
  result.archive_bytes = write_archive(plan, sources, manifest, observer);
} catch (const Error& error) {
  throw error.with_hint(
      "the container has ended and its checkpoint is safe in the store: still "
      "restore " +
      container.name() + " brings it back");
}

CheckpointResult take_and_stop(engine::Container& container, const Plan& plan, Observer& observer) {
  const engine::ContainerPaths& paths = container.paths();
  archive::Manifest manifest = describe(container, plan);
  CheckpointResult result;
  result.consistent = true;  // no task of it was alive after the dump
  result.cut = dump_and_stop(container, plan, observer);
  result.criu = oci::read_dump_statistics(paths.dump_work() / kStatisticsMember);
  describe_cut(manifest, result);

  const auto log = plan.options.keep ? oci::dump_log(paths.dump_work()) : std::filesystem::path();
  container.record_checkpoint_and_exit(paths.checkpoint(), log);
  if (plan.writes_archive) {
    const ArchiveSources sources = gather_sources(
        container, plan, paths.checkpoint(), paths.dump_work(), trees_in_place(container, plan));
    export_stopped(container, plan, sources, manifest, result, observer);
  }
  if (!plan.options.keep) remove_tree(paths.dump_work());
  if (container.config().remove_when_done) container.remove(false);
  return result;
}

}  // namespace

CheckpointResult checkpoint(engine::Container& container, std::vector<engine::Container>& sharers,
                            const engine::Layout& layout, const Plan& plan, Observer& observer) {
  const auto start = std::chrono::steady_clock::now();
  CheckpointResult result = plan.options.leave_running
                                ? take_live(container, sharers, layout, plan, observer)
                                : take_and_stop(container, plan, observer);
  result.total = std::chrono::steady_clock::now() - start;
  return result;
}

}  // namespace still::checkpoint
