#include "checkpoint/stopping.h"

// The default checkpoint: CRIU ends the container.
#include <functional>
#include <future>

#include "archive/members.h"
#include "base/error.h"
#include "base/hooks.h"
#include "base/text.h"
#include "cgroup/shelter.h"
#include "checkpoint/archive_writing.h"
#include "checkpoint/describe.h"
#include "checkpoint/leftovers.h"
#include "checkpoint/trial.h"
#include "criu/affinity.h"
#include "criu/criu.h"
#include "criu/failure.h"
#include "criu/gate.h"
#include "criu/question.h"
#include "criu/wiped_memory.h"
#include "cut/cancellation.h"
#include "cut/dump_command.h"
#include "cut/guardian.h"
#include "cut/leftovers.h"
#include "cut/runtime_watch.h"
#include "journal/operation.h"
#include "journal/paths.h"
#include "os/files.h"
#include "os/process.h"
#include "os/temp_dir.h"
#include "os/tree_size.h"

namespace still::checkpoint {
namespace {

// Until they are known to be complete.
std::filesystem::path images_place(const subject::Endable& container, const std::string& key) {
  return container.stored_images().native() + "-" + key;
}

// What is in the journal before the dump: whoever finds complete images there keeps them, the
// container is in them and nowhere else.
void note_traces(journal::Entry& entry, subject::Held& container, const store::Layout& layout,
                 const Plan& plan) {
  if (plan.writes_archive) {
    for (const auto& path : archive_traces(plan, layout, entry.key)) {
      entry.add(journal::path_step(path));
    }
  }
  const auto images = images_place(*container.endable(), entry.key);
  entry.add(journal::path_step(images));
  if (plan.options.verify_restore) note_trial(entry, trial_place(layout.staging(), entry.key));
  entry.add(cut::shelter_step(cut::shelter_path(entry.key)));
  cut::note_lent_cgroup(entry, container.subject());
  entry.add(stopping_step(images));
}

// CRIU's question whether it may end the container, answered in a thread of its own: the runtime is
// watched meanwhile.
class Question {
 public:
  // judge: throws Error for what speaks against it. Throws Error(kSystem).
  Question(const std::filesystem::path& socket, pid_t runtime, std::function<void()> judge)
      : gate_(socket),
        runtime_(open_pidfd(runtime).value()),
        judge_(std::move(judge)),
        answered_(std::async(std::launch::async, [this] { answer(); })) {}

  // After the runtime's end. Throws what judge threw.
  void result() { answered_.get(); }

 private:
  void answer() try {
    constexpr std::chrono::hours kAnyTime{1};
    while (!gate_.wait(runtime_, deadline_in(kAnyTime))) {
      if (wait_for_exit(runtime_, Deadline())) return gate_.close();
    }
    hooks::reached("asked");
    judge_();
    gate_.open_for_all();
  } catch (...) {
    gate_.close();
    throw;
  }

  criu::CriuGate gate_;
  const Fd runtime_;
  const std::function<void()> judge_;
  std::future<void> answered_;
};

void run_dump(const subject::Held& container, const journal::Host& host, const Plan& plan,
              const std::filesystem::path& images, journal::Operation& operation, cut::Cut& cut) {
  const subject::Subject& subject = container.subject();
  criu::WipedMemory wiped;
  const auto look_at_processes = [&] {
    const auto processes = subject::processes_of(subject);
    criu::write_affinities(images, criu::read_affinities(processes, subject.init.pid));
    wiped = criu::read_wiped_memory(processes);
  };
  // Its processes are still held, and its trees as they will be.
  const auto examine = [&] {
    look_at_processes();
    criu::note_wiped_memory(images, wiped);
    if (!plan.options.tcp_established) cut::require_no_connections(images);
    Trial trial{.subject = subject, .options = plan.options, .images = images, .trees = {}};
    for (const subject::Tree& tree : subject.trees) trial.trees.emplace_back(tree, tree.source);
    require_restorable(trial, trial_place(host.layout.staging(), operation.key()));
  };
  const auto socket = subject.dump_work / "question";
  const pid_t init = subject.init.pid;
  const auto lent = cut::lend_cgroup(subject);
  cut::HeldRuntime runtime(subject.runtime,
                           cut::dump_command(subject, *container.runtime(),
                                             {.tcp_established = plan.options.tcp_established,
                                              .file_locks = plan.options.file_locks,
                                              .images = images,
                                              .work = subject.dump_work,
                                              .lent = lent.get(),
                                              .question = socket}));
  const cgroup::Shelter shelter(cut::shelter_path(operation.key()));
  const cut::Guardian guardian({.freezers = {},
                                .runtimes = {{.process = &runtime.process(), .init = init}},
                                .hang_timeout = plan.options.runtime_timeout});
  shelter.take_in(guardian.pid());
  shelter.take_in(runtime.process().pid());
  operation.update([&](journal::Entry& entry) {
    entry.guardian = identify_process(guardian.pid());
    entry.runtime = identify_process(runtime.process().pid());
  });
  hooks::reached("guarded");
  const bool asks = !criu::question_program().empty();
  if (!asks) look_at_processes();  // while they can still change
  cut.dump_start = Instant::now();
  Question question(socket, runtime.process().pid(), examine);
  cut::RuntimeWatch watch(std::move(runtime), init, plan.options.runtime_timeout);
  hooks::reached("dumping");
  try {
    watch.wait();
  } catch (const Error&) {
    question.result();
    throw;
  }
  cut::require_images(images);
  if (!asks) criu::note_wiped_memory(images, wiped);
  hooks::reached("dumped");
  cut.dump_end = Instant::now();
}

// After this the container's memory is in the store and its processes are gone.
cut::Cut dump_and_stop(subject::Held& container, const journal::Host& host, const Plan& plan,
                       journal::Operation& operation, cut::Observer& observer) {
  const cut::StepScope step(observer, cut::Step::kDump);
  const std::filesystem::path work = container.subject().dump_work;
  subject::Endable& endable = *container.endable();
  TempDir images(images_place(endable, operation.key()));
  remove_tree(work);
  make_directory(work, 0700);
  cut::Cut cut;
  if (criu::question_program().empty()) {
    observer.warning(
        "still_question is not installed: the container is ended even if no restore could bring it "
        "back");
  }
  try {
    run_dump(container, host, plan, images.path(), operation, cut);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kUnsupported) throw;  // said before CRIU ended it
    // What happened to the runtime after that does not matter: the images are all there is of it.
    if (!endable.has_ended_in(images.path())) {
      throw criu::explain_failure(error, oci::dump_log(work), work);
    }
    cut.dump_end = Instant::now();
    observer.warning(error.message() +
                     ", but CRIU has ended the container: its checkpoint is kept");
  }
  hooks::reached("unguarded");
  cut::begin_calls_anew(images.path(), observer);
  endable.keep_checkpoint(images.keep(),
                          plan.options.keep ? oci::dump_log(work) : std::filesystem::path());
  return cut;
}

std::map<std::string, cut::CapturedTree> trees_in_place(const subject::Endable& container,
                                                        const Plan& plan) {
  std::map<std::string, cut::CapturedTree> trees;
  for (const cut::TreePlan& tree : plan.trees) {
    trees[cut::member_of(tree.tree)] = {
        .path = container.tree_afterwards(tree.tree), .method = "in-place", .foreign_changes = {}};
  }
  return trees;
}

// No task of it is alive after the dump: only others can change what is read in place then.
std::string why_not_consistent(const Plan& plan) {
  if (!plan.options.export_file || plan.sharers.empty()) return {};
  return "running containers write to the same volumes: " + join(plan.sharers, ", ");
}

void export_stopped(const std::string& name, const Plan& plan, const ArchiveSources& sources,
                    const archive::Manifest& manifest, cut::Cancellation& cancellation,
                    CheckpointResult& result, cut::Observer& observer) try {
  result.archive_bytes = write_archive(plan, sources, manifest, cancellation, observer);
} catch (const Error& error) {
  if (error.signal() != 0) {
    throw Error::interrupted(
        error.signal(),
        "there is no archive, but the container has ended and its checkpoint is "
        "safe in the store: still restore " +
            name + " brings it back");
  }
  throw error.with_hint(
      "the container has ended and its checkpoint is safe in the store: still "
      "restore " +
      name + " brings it back");
}

}  // namespace

CheckpointResult take_and_stop(subject::Held& container, const journal::Host& host,
                               const Plan& plan, cut::Observer& observer) {
  // As it was while it ran.
  const subject::Subject subject = container.subject();
  archive::Manifest manifest = describe(container, plan);
  cut::Cancellation cancellation;
  cancellation.check();  // the last moment: the dump goes on to its end
  CheckpointResult result{.memory_choice = plan.memory};
  result.inconsistent_because = why_not_consistent(plan);
  result.consistent = result.inconsistent_because.empty();
  if (!result.consistent) {
    observer.warning("the checkpoint is not certified consistent: " + result.inconsistent_because);
  }
  journal::Operation operation(
      host.store,
      {.operation = kOperation,
       .container_id = subject.id,
       .container_name = subject.name,
       .init = subject.init},
      [&](journal::Entry& entry) { note_traces(entry, container, host.layout, plan); });
  result.cut = dump_and_stop(container, host, plan, operation, observer);
  result.criu =
      criu::read_dump_statistics(subject.dump_work / name_of(archive::MemberKind::kStatistics));
  describe_result(manifest, result);

  hooks::reached("kept");
  if (plan.writes_archive) {
    const ArchiveSources sources =
        gather_sources(subject, host.layout, operation.key(), container.endable()->stored_images(),
                       subject.dump_work, trees_in_place(*container.endable(), plan));
    export_stopped(subject.name, plan, sources, manifest, cancellation, result, observer);
  }
  if (!plan.options.keep) remove_tree(subject.dump_work);
  if (subject.is_removed_when_done) {
    container.endable()->remove();
  } else {
    result.stored_bytes = tree_size(container.endable()->stored_images());
  }
  return result;
}

}  // namespace still::checkpoint
