#include "cut/dump_command.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "cgroup/location.h"
#include "criu/calls.h"
#include "criu/configuration.h"
#include "criu/lazy_dump.h"
#include "criu/open_files.h"
#include "criu/preloading.h"
#include "criu/question.h"
#include "cut/leftovers.h"
#include "os/files.h"

namespace still::cut {
namespace {

// CRIU refuses deleted files that are still open beyond this size; its own default is 1 MiB. What
// fits here is copied into the images like memory.
constexpr const char* kGhostLimitBytes = "1073741824";

// Empty without one that is captured.
std::filesystem::path writable_layer(const subject::Subject& subject) {
  const auto layer =
      std::ranges::find(subject.trees, subject::TreeKind::kRootfs, &subject::Tree::kind);
  return layer == subject.trees.end() ? std::filesystem::path() : layer->source;
}

}  // namespace

std::unique_ptr<cgroup::BorrowedCgroup> lend_cgroup(const subject::Subject& subject) {
  if (subject.has_cgroup) return nullptr;
  return std::make_unique<cgroup::BorrowedCgroup>(
      subject.cgroup, subject.init.pid,
      // Sessions live where exec was called, and stay there.
      [&subject] { return subject::divided_processes_of(subject).tree; });
}

void note_lent_cgroup(journal::Entry& entry, const subject::Subject& subject) {
  if (subject.has_cgroup) return;
  const auto root = cgroup::unified_mount();
  const auto home = cgroup::find_unified_cgroup(subject.init.pid);
  if (!root || !home) return;  // lending will say what is missing
  entry.add(lent_cgroup_step(root->native() + subject.cgroup, *home));
}

Command dump_command(const subject::Subject& subject, const oci::OciRuntime& runtime,
                     const DumpSettings& settings) {
  const bool has_parent = settings.skeleton == memory::Skeleton::kParentImage;
  const bool is_lazy = settings.skeleton == memory::Skeleton::kLazyPages;
  oci::CheckpointOptions options{
      .image_directory = settings.images,
      .work_directory = settings.work,
      .leave_running = settings.leave_running,
      .tcp_established = settings.tcp_established,
      .file_locks = settings.file_locks,
      .environment = criu::preload_environment(
          {.clean_memory = has_parent,
           .no_pages = settings.skeleton == memory::Skeleton::kNoPages,
           .no_conntrack = settings.leave_running && !settings.tcp_established,
           .gate = settings.gate,
           .work = settings.work,
           .no_deleted_files = settings.leave_running,
           .root = formatted("/proc/{}/root", subject.init.pid),
           .layer = writable_layer(subject)})};
  if (settings.lent != nullptr) options.borrowed_cgroup = settings.lent->directory();
  auto criu_options = runtime.criu_options(options);
  criu_options["ghost-limit"] = kGhostLimitBytes;
  if (subject.leaves_network_out) criu_options["empty-ns"] = "net";
  // The library lets none be made (criu/preload/other_names.cc).
  if (!criu::criu_preload().empty()) criu_options["link-remap"] = "";
  if (has_parent) {
    criu_options["track-mem"] = "";
    criu_options["prev-images-dir"] = "../parent";
  } else if (is_lazy) {
    criu_options.merge(criu::lazy_pages_options());
  } else if (!settings.question.empty() && !criu::question_program().empty()) {
    criu_options.merge(criu::question_options());
    options.environment[criu::kQuestionVariable] = settings.question;
  }
  criu::write_configuration(subject.criu_configuration, subject.criu_overrides, criu_options);
  options.criu_configuration = subject.criu_configuration;
  const Command command = runtime.checkpoint_command(subject.id, options);
  return is_lazy ? criu::without_network(command) : command;
}

void require_images(const std::filesystem::path& images) {
  // Of all images the one that CRIU writes last.
  if (path_exists(images / "inventory.img")) return;
  throw Error(ErrorKind::kRuntime,
              "the runtime says that the checkpoint is done, but there are no complete images",
              "look whether the runtime is what it should be");
}

void require_no_connections(const std::filesystem::path& images) {
  if (!criu::has_tcp_connections(images)) return;
  throw Error(ErrorKind::kConflict,
              "a process has a TCP connection open that was not there before the container stood "
              "still; the checkpoint is discarded",
              "try again, or add --tcp-established, here and at the restore");
}

void begin_calls_anew(const std::filesystem::path& images, Observer& observer) try {
  criu::begin_calls_anew(images);
} catch (const Error& error) {
  observer.warning("what sleeps may wake early in a copy: " + error.message());
}

}  // namespace still::cut
