// The default checkpoint: CRIU ends the container.
#include "base/error.h"
#include "base/hooks.h"
#include "base/text.h"
#include "checkpoint/archive_members.h"
#include "checkpoint/archive_writing.h"
#include "checkpoint/describe.h"
#include "checkpoint/ways.h"
#include "cut/cancellation.h"
#include "cut/criu_files.h"
#include "cut/guardian.h"
#include "cut/runtime_watch.h"
#include "engine/operation.h"
#include "os/files.h"

namespace still::checkpoint {
namespace {

// Until they are known to be complete.
std::filesystem::path images_place(const engine::Container& container, const std::string& key) {
  return container.paths().checkpoint().native() + "-" + key;
}

// What is in the journal before the dump: whoever finds complete images there keeps them, the
// container is in them and nowhere else.
void note_traces(store::JournalEntry& entry, const engine::Container& container,
                 const engine::Layout& layout, const Plan& plan) {
  if (plan.writes_archive) entry.paths = archive_traces(plan, layout, entry.key);
  entry.images = images_place(container, entry.key);
  entry.paths.push_back(entry.images);
  cut::note_lent_cgroup(entry, container);
}

void run_dump(const engine::Container& container, const Plan& plan,
              const std::filesystem::path& images, engine::Operation& operation, cut::Cut& cut) {
  const std::filesystem::path work = container.paths().dump_work();
  const pid_t init = container.record().pid;
  const auto lent = cut::lend_cgroup(container);
  cut::HeldRuntime runtime(
      container.config().runtime,
      cut::checkpoint_command(container, plan.options,
                              {.images = images, .work = work, .lent = lent.get()}));
  const cut::Guardian guardian({.freezers = {},
                                .runtime = &runtime.process(),
                                .init = init,
                                .hang_timeout = plan.options.runtime_timeout});
  operation.update([&](store::JournalEntry& entry) {
    entry.guardian = identify_process(guardian.pid());
    entry.runtime = identify_process(runtime.process().pid());
  });
  hooks::reached("guarded");
  cut.dump_start = Instant::now();
  cut::RuntimeWatch watch(std::move(runtime), init, plan.options.runtime_timeout);
  hooks::reached("dumping");
  watch.wait();
  cut::require_images(images);
  hooks::reached("dumped");
  cut.dump_end = Instant::now();
}

// After this the container's memory is in the store and its processes are gone.
cut::Cut dump_and_stop(engine::Container& container, const Plan& plan, engine::Operation& operation,
                       cut::Observer& observer) {
  const cut::StepScope step(observer, cut::Step::kDump);
  const engine::ContainerPaths& paths = container.paths();
  TempDir images(images_place(container, operation.key()));
  remove_tree(paths.dump_work());
  make_directory(paths.dump_work(), 0700);
  cut::Cut cut;
  try {
    run_dump(container, plan, images.path(), operation, cut);
  } catch (const Error& error) {
    // What happened to the runtime after that does not matter: the images are all there is of it.
    if (!container.has_ended_in(images.path())) {
      throw cut::explain_failure(error, oci::dump_log(paths.dump_work()), paths.dump_work());
    }
    cut.dump_end = Instant::now();
    observer.warning(error.message() +
                     ", but CRIU has ended the container: its checkpoint is kept");
  }
  hooks::reached("unguarded");
  container.keep_checkpoint(images.keep(), plan.options.keep ? oci::dump_log(paths.dump_work())
                                                             : std::filesystem::path());
  return cut;
}

std::map<std::string, cut::CapturedTree> trees_in_place(const engine::Container& container,
                                                        const Plan& plan) {
  std::map<std::string, cut::CapturedTree> trees;
  for (const TreePlan& tree : plan.trees) {
    const bool is_shm = tree.member == kShmMember;
    trees[tree.member] = {.path = is_shm ? container.paths().shm_content() : tree.source,
                          .method = "in-place",
                          .foreign_changes = {}};
  }
  return trees;
}

// No task of it is alive after the dump: only others can change what is read in place then.
std::string why_not_consistent(const Plan& plan) {
  if (!plan.options.export_file || plan.sharers.empty()) return {};
  return "running containers write to the same volumes: " + join(plan.sharers, ", ");
}

void export_stopped(const engine::Container& container, const Plan& plan,
                    const ArchiveSources& sources, const archive::Manifest& manifest,
                    cut::Cancellation& cancellation, CheckpointResult& result,
                    cut::Observer& observer) try {
  result.archive_bytes = write_archive(plan, sources, manifest, cancellation, observer);
} catch (const Error& error) {
  if (error.signal() != 0) {
    throw Error::interrupted(
        error.signal(),
        "there is no archive, but the container has ended and its checkpoint is "
        "safe in the store: still restore " +
            container.name() + " brings it back");
  }
  throw error.with_hint(
      "the container has ended and its checkpoint is safe in the store: still "
      "restore " +
      container.name() + " brings it back");
}

}  // namespace

CheckpointResult take_and_stop(engine::Container& container, const engine::Layout& layout,
                               store::Store& store, const Plan& plan, cut::Observer& observer) {
  const engine::ContainerPaths& paths = container.paths();
  archive::Manifest manifest = describe(container, plan);
  cut::Cancellation cancellation;
  cancellation.check();  // the last moment: the dump goes on to its end
  CheckpointResult result;
  result.inconsistent_because = why_not_consistent(plan);
  result.consistent = result.inconsistent_because.empty();
  if (!result.consistent) {
    observer.warning("the checkpoint is not certified consistent: " + result.inconsistent_because);
  }
  engine::Operation operation(
      store, engine::kCheckpoint, container,
      [&](store::JournalEntry& entry) { note_traces(entry, container, layout, plan); });
  result.cut = dump_and_stop(container, plan, operation, observer);
  result.criu = criu::read_dump_statistics(paths.dump_work() / kStatisticsMember);
  describe_result(manifest, result);

  hooks::reached("kept");
  if (plan.writes_archive) {
    const ArchiveSources sources =
        gather_sources(container, plan, layout, operation.key(), paths.checkpoint(),
                       paths.dump_work(), trees_in_place(container, plan));
    export_stopped(container, plan, sources, manifest, cancellation, result, observer);
  }
  if (!plan.options.keep) remove_tree(paths.dump_work());
  if (container.config().remove_when_done) container.remove(false);
  return result;
}

}  // namespace still::checkpoint
