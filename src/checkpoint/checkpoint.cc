#include "checkpoint/checkpoint.h"

#include <fcntl.h>

#include "archive/tree_tar.h"
#include "base/error.h"
#include "checkpoint/archive_members.h"
#include "checkpoint/archive_writing.h"
#include "checkpoint/criu_files.h"
#include "checkpoint/describe.h"
#include "checkpoint/hooks.h"
#include "checkpoint/runtime_watch.h"
#include "checkpoint/staging.h"
#include "os/files.h"
#include "os/mount.h"
#include "tree/copy.h"

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

// --- live
// ------------------------------------------------------------------------------------------

std::map<std::string, std::filesystem::path> staged_trees(const Plan& plan,
                                                          const Staging& staging) {
  std::map<std::string, std::filesystem::path> trees;
  for (const TreePlan& tree : plan.trees) trees[tree.member] = staging.tree(tree.member);
  return trees;
}

struct LiveCut {
  Cut cut;
  uint64_t log_bytes = 0;  // of the container's log; what comes later belongs to its life after it
};

LiveCut take_cut(const engine::Container& container, const Plan& plan, const Staging& staging,
                 Observer& observer) {
  // Everything that can be made before the freeze is made here.
  const auto freezer = hooks::freeze_is_off() ? nullptr : container.freezer();
  const auto targets = staged_trees(plan, staging);
  const auto log = open_if_exists(container.paths().log(), O_RDONLY);
  const auto lent = lend_cgroup(container);
  LiveCut result;
  const WindowSettings settings{
      .freezer = freezer.get(),
      .dump =
          checkpoint_command(container, plan.options, staging.images(), staging.work(), lent.get()),
      .init = container.record().pid,
      .capture_trees =
          [&] {
            for (const TreePlan& tree : plan.trees) {
              tree::copy_tree(open_directory(tree.source), open_directory(targets.at(tree.member)));
            }
          },
      .before_thaw =
          [&] { result.log_bytes = log ? static_cast<uint64_t>(stat_fd(*log).st_size) : 0; },
      .freeze_timeout = plan.options.freeze_timeout,
      .runtime_timeout = plan.options.runtime_timeout};
  try {
    result.cut = run_freeze_window(settings, observer);
    return result;
  } catch (const Error& error) {
    throw explain_failure(error, oci::dump_log(staging.work()), container.paths().dump_work());
  }
}

void judge(CheckpointResult& result, Observer& observer) {
  result.consistent = result.cut.was_frozen || hooks::freeze_is_off();
  if (result.consistent) return;
  result.inconsistent_because =
      "the container has no cgroup of its own: it ran on while its files were captured";
  observer.warning("the checkpoint is not certified consistent: " + result.inconsistent_because);
}

CheckpointResult take_live(engine::Container& container, const engine::Layout& layout,
                           const Plan& plan, Observer& observer) {
  const Staging staging(layout, container.id());
  archive::Manifest manifest = describe(container, plan);
  CheckpointResult result;
  const LiveCut live = take_cut(container, plan, staging, observer);
  result.cut = live.cut;
  judge(result, observer);
  result.criu = oci::read_dump_statistics(staging.work() / kStatisticsMember);
  describe_cut(manifest, result);

  const auto log = plan.options.keep
                       ? keep_criu_files(staging.work(), container.paths().dump_work())
                       : std::filesystem::path();
  ArchiveSources sources = gather_sources(container, plan, staging.images(), staging.work(),
                                          staged_trees(plan, staging));
  sources.log_bytes = live.log_bytes;
  container.unlocked(
      [&] { result.archive_bytes = write_archive(plan, sources, manifest, observer); });
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

std::map<std::string, std::filesystem::path> trees_in_place(const engine::Container& container,
                                                            const Plan& plan) {
  std::map<std::string, std::filesystem::path> trees;
  for (const TreePlan& tree : plan.trees) trees[tree.member] = tree.source;
  if (trees.contains(kShmMember)) trees[kShmMember] = container.paths().shm_content();
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

CheckpointResult checkpoint(engine::Container& container, const engine::Layout& layout,
                            const Plan& plan, Observer& observer) {
  const auto start = std::chrono::steady_clock::now();
  CheckpointResult result = plan.options.leave_running
                                ? take_live(container, layout, plan, observer)
                                : take_and_stop(container, plan, observer);
  result.total = std::chrono::steady_clock::now() - start;
  return result;
}

}  // namespace still::checkpoint
