#include "cut/criu_files.h"

#include <array>
#include <map>
#include <string>

#include "cgroup/location.h"
#include "criu/criu.h"
#include "criu/lazy_dump.h"
#include "criu/preloading.h"
#include "engine/container/bundle.h"
#include "os/files.h"

namespace still::cut {
namespace {

// CRIU refuses deleted files that are still open beyond this size; its own default is 1 MiB. What
// fits here is copied into the images like memory.
constexpr const char* kGhostLimitBytes = "1073741824";

constexpr std::array kKeptFiles = {"dump.log", "restore.log", "stats-dump", "stats-restore"};

std::filesystem::path write_configuration(const engine::Container& container,
                                          const std::map<std::string, std::string>& options) {
  const engine::ContainerPaths& paths = container.paths();
  auto overrides = options;
  overrides.erase("network-lock");   // CRIU 4.1.1 is killed by it there, by a null pointer
  overrides.erase("action-script");  // that would be one more script, not the same one
  write_file_atomically(paths.criu_overrides(), criu::criu_configuration(overrides), 0600);
  write_file_atomically(paths.criu_configuration(), criu::criu_configuration(options), 0600);
  return paths.criu_configuration();
}

}  // namespace

std::unique_ptr<cgroup::BorrowedCgroup> lend_cgroup(const engine::Container& container) {
  if (container.config().cgroups) return nullptr;
  return std::make_unique<cgroup::BorrowedCgroup>(
      engine::cgroup_path(container.config(), container.id()), container.record().pid,
      [&container] { return container.processes(); });
}

void note_lent_cgroup(store::JournalEntry& entry, const engine::Container& container) {
  if (container.config().cgroups) return;
  const auto root = cgroup::unified_mount();
  const auto home = cgroup::find_unified_cgroup(container.record().pid);
  if (!root || !home) return;  // lending will say what is missing
  entry.lent_cgroup = root->native() + engine::cgroup_path(container.config(), container.id());
  entry.lent_from = *home;
}

Command checkpoint_command(const engine::Container& container,
                           const checkpoint::CheckpointOptions& options,
                           const DumpSettings& settings) {
  const auto runtime = container.runtime();
  oci::CheckpointOptions runtime_options{.image_directory = settings.images,
                                         .work_directory = settings.work,
                                         .leave_running = options.leave_running,
                                         .tcp_established = options.tcp_established,
                                         .file_locks = options.file_locks};
  if (settings.lent != nullptr) runtime_options.borrowed_cgroup = settings.lent->directory();
  auto criu_options = runtime->criu_options(runtime_options);
  criu_options["ghost-limit"] = kGhostLimitBytes;
  const bool lazy = settings.skeleton == memory::Skeleton::kLazyPages;
  if (settings.skeleton == memory::Skeleton::kParentImage) {
    criu_options["track-mem"] = "";
    criu_options["prev-images-dir"] = "../parent";
  } else if (lazy) {
    criu_options.merge(criu::lazy_pages_options());
  }
  runtime_options.criu_configuration = write_configuration(container, criu_options);
  runtime_options.environment = criu::preload_environment(
      {.clean_memory = settings.skeleton == memory::Skeleton::kParentImage,
       .no_conntrack = options.leave_running && !options.tcp_established,
       .gate = settings.gate});
  const Command command = runtime->checkpoint_command(container.id(), runtime_options);
  return lazy ? criu::without_network(command) : command;
}

oci::RestoreOptions restore_options(const engine::Container& container,
                                    const restore::RestoreOptions& options,
                                    const std::filesystem::path& images,
                                    const std::filesystem::path& work) {
  oci::RestoreOptions runtime_options{.image_directory = images,
                                      .work_directory = work,
                                      .tcp_established = options.tcp_established,
                                      .tcp_close = options.tcp_close,
                                      .file_locks = options.file_locks};
  runtime_options.criu_configuration =
      write_configuration(container, container.runtime()->criu_options(runtime_options));
  return runtime_options;
}

void require_images(const std::filesystem::path& images) {
  // Of all images the one that CRIU writes last.
  if (path_exists(images / "inventory.img")) return;
  throw Error(ErrorKind::kRuntime,
              "the runtime says that the checkpoint is done, but there are no complete images",
              "look whether the runtime is what it should be");
}

std::filesystem::path keep_criu_files(const std::filesystem::path& work,
                                      const std::filesystem::path& kept) {
  make_directories(kept, 0700);
  std::filesystem::path log;
  for (const char* name : kKeptFiles) {
    const auto content = read_file_if_exists(work / name);
    if (!content) continue;
    write_file_atomically(kept / name, *content, 0600);
    if (std::filesystem::path(name).extension() == ".log") log = kept / name;
  }
  return log;
}

Error explain_failure(const Error& error, const std::filesystem::path& log,
                      const std::filesystem::path& kept) {
  const bool of_runtime =
      error.kind() == ErrorKind::kRuntime || error.kind() == ErrorKind::kTimeout;
  if (!of_runtime || !path_exists(log)) return error;
  const std::string lines = criu::explain_criu_log(log);
  const std::string where = "CRIU's log is " + keep_criu_files(log.parent_path(), kept).native();
  if (lines.contains("Can't get rlimit")) {
    return Error(ErrorKind::kUnsupported,
                 "CRIU may not read the resource limits of another user's process",
                 "run Still with CAP_SYS_RESOURCE; " + where);
  }
  // What the runtime says then is only that CRIU failed, and a log that is about to vanish.
  if (error.kind() == ErrorKind::kRuntime && !lines.empty()) {
    return Error(error.kind(), "CRIU failed: " + lines, where);
  }
  return error.with_hint(error.hint() + (error.hint().empty() ? "" : "; ") + where);
}

}  // namespace still::cut
