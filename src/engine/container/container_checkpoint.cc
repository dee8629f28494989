// The part of Container that checkpoint and restore use.
#include <fcntl.h>
#include <signal.h>

#include "archive/tree_tar.h"
#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "cgroup/container_cgroup.h"
#include "criu/affinity.h"
#include "criu/criu.h"
#include "criu/seccomp.h"
#include "engine/container/bundle.h"
#include "engine/container/container.h"
#include "engine/container/liveness.h"
#include "engine/container/rootfs.h"
#include "engine/container/security.h"
#include "engine/monitor/monitor.h"
#include "os/files.h"
#include "os/mount.h"
#include "os/process.h"
#include "subject/fit_images.h"
#include "subject/processes.h"

namespace still::engine {
namespace {

using store::ContainerStatus;

// CRIU has said that it is done; the last of its kills may still be under way.
constexpr auto kEndTimeout = std::chrono::seconds(30);
// Without its word: a container that is not killed by then runs on.
constexpr auto kKillTimeout = std::chrono::seconds(3);

// /dev/shm goes with its mount when the container has ended: its content is kept as a tar file,
// from which both the archive and a restore in place take it.
void save_shm(const ContainerPaths& paths) {
  if (!is_mount_point(paths.shm())) return;
  const Fd file = open_file(paths.shm_content(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  archive::write_tree_tar(open_file(paths.shm(), O_RDONLY | O_DIRECTORY), {},
                          [&file](std::string_view bytes) { write_all(file, bytes); });
}

// This machine may lack the processors, and the container's cgroup may not let it have them.
void warn_of_misplaced_threads(const std::filesystem::path& images, pid_t init) noexcept try {
  const size_t count = criu::count_misplaced(criu::stored_affinities(images), init);
  if (count == 0) return;
  warn(
      formatted("{} of the restored threads may run on other processors than before the "
                "checkpoint, because not all of those can be had here",
                count));
} catch (const std::exception& error) {
  warn(error.what());  // it runs
}

}  // namespace

std::filesystem::path Container::runtime_state_root() const {
  return host_.layout.runtime_state(std::filesystem::path(config_.runtime).filename());
}

std::unique_ptr<oci::OciRuntime> Container::runtime() const {
  return oci::OciRuntime::open(config_.runtime, runtime_state_root(), !config_.cgroups);
}

std::unique_ptr<cgroup::Freezer> Container::freezer() const {
  if (!running() || !config_.cgroups) return nullptr;
  const auto own = cgroup::find_own_cgroup(cgroup_path(config_, id()), record_.pid);
  return own ? cgroup::Freezer::open(*own) : nullptr;
}

cgroup::Room Container::room() const {
  return config_.cgroups ? cgroup::room_in_cgroup(cgroup_path(config_, id())) : cgroup::Room{};
}

std::vector<std::filesystem::path> Container::lower_layers() const {
  return find_lower_layers(host_, config_);
}

void Container::record_checkpoint(const std::filesystem::path& path,
                                  const std::filesystem::path& log) {
  record_.checkpointed_at = Instant::now().wall;
  record_.checkpoint_path = path;
  record_.checkpoint_log = log;
  host_.store.update_container(record_);
}

void Container::keep_checkpoint(const std::filesystem::path& images,
                                const std::filesystem::path& log) {
  save_shm(paths_);
  // CRIU syncs nothing. The images are worth nothing without the files as they are now, and those
  // are, as a rule, on the same file system.
  sync_file_system(images);
  remove_tree(paths_.checkpoint());
  std::filesystem::rename(images, paths_.checkpoint());
  sync_directory(paths_.base);
  if (const auto init = open_pidfd(record_.pid); init && init_is_alive(record_)) {
    if (!wait_for_exit(*init, deadline_in(kEndTimeout))) {
      throw Error(ErrorKind::kTimeout, "container " + name() + " did not end with its checkpoint");
    }
  }
  record_exit();
  record_.checkpointed = true;
  // Before the mounts go: whoever comes next must know that this end was a checkpoint.
  record_checkpoint(paths_.checkpoint(), log);
  release_resources();
}

void Container::discard_checkpoint(CheckpointKind kind) {
  const bool is_live = kind == CheckpointKind::kLive;
  const auto path = is_live ? paths_.live_checkpoint() : paths_.checkpoint();
  if (record_.checkpoint_path == path.native()) record_.checkpoint_path.clear();
  if (!is_live) record_.checkpointed = false;
  // First: nobody takes half of one for a checkpoint if we are killed.
  host_.store.update_container(record_);
  if (is_live) {
    remove_tree(path);
  } else {
    remove_images();
  }
}

bool Container::has_ended_in(const std::filesystem::path& images) const {
  if (!path_exists(images / "inventory.img")) return false;
  const auto init = open_pidfd(record_.pid);
  return !init || !init_is_alive(record_) || wait_for_exit(*init, deadline_in(kKillTimeout));
}

bool Container::keep_interrupted_checkpoint(const journal::Host& host, const std::string& id,
                                            const std::filesystem::path& images) {
  store::ContainerLock lock = store::ContainerLock::acquire(host.layout, id);
  auto record = find_locked(host.store, lock, id);
  Container container(host, std::move(lock), std::move(record));
  if (!container.running() || !container.has_ended_in(images)) return false;
  container.keep_checkpoint(images, {});
  return true;
}

void Container::end_restored() {
  kill_all();
  record_.status = ContainerStatus::kExited;
  record_.pid = 0;
  record_.checkpointed = false;
}

void Container::end_interrupted_restore(const journal::Host& host, const std::string& id,
                                        Afterwards afterwards) try {
  store::ContainerLock lock = store::ContainerLock::acquire(host.layout, id);
  auto record = find_locked(host.store, lock, id);
  Container container(host, std::move(lock), std::move(record));
  container.end_restored();
  if (afterwards == Afterwards::kGone) return container.remove(false);
  container.release_resources();
  host.store.update_container(container.record_);
} catch (const Error& error) {
  if (error.kind() != ErrorKind::kNotFound) throw;
}

subject::InOwnFiles Container::settle_interrupted_restore(const journal::Host& host,
                                                          const std::string& id,
                                                          std::optional<bool> has_run) try {
  store::ContainerLock lock = store::ContainerLock::acquire(host.layout, id);
  auto record = find_locked(host.store, lock, id);
  Container container(host, std::move(lock), std::move(record));
  if (const auto init = wait_for_orphan(host.layout, id)) {
    container.record_restored(*init);
    return subject::InOwnFiles::kRuns;
  }
  // Either it was recorded, and has ended since, or what is known of CRIU decides.
  const bool used_up =
      !container.record_.checkpointed || (has_run ? *has_run : container.has_run_restored());
  container.end_restored();
  container.release_resources();
  container.record_.checkpointed = !used_up;
  host.store.update_container(container.record_);
  return container.record_.checkpointed ? subject::InOwnFiles::kAtCheckpoint
                                        : subject::InOwnFiles::kUsedUp;
} catch (const Error& error) {
  if (error.kind() != ErrorKind::kNotFound) throw;
  return subject::InOwnFiles::kUsedUp;
}

bool Container::has_run_restored() const {
  return criu::has_let_run(oci::restore_log(paths_.restore_work()));
}

void Container::kill_all() const {
  for (const pid_t monitor : find_monitors(host_.layout, id()))
    subject::kill_with_descendants(monitor);
  if (config_.cgroups) cgroup::kill_cgroups(cgroup_path(config_, id()));
}

// On the way out of an error, which stays the one that is thrown.
void Container::try_kill_all() const noexcept {
  try {
    kill_all();
  } catch (const std::exception& error) {
    warn(error.what());
  }
}

void Container::start_restored(const oci::RestoreOptions& options,
                               const std::string& dumped_cgroup) {
  require_stopped();
  remove_runtime_state();
  // Before anything that is ended on errors.
  if (config_.cgroups) cgroup::require_unused(cgroup_path(config_, id()));
  const auto oci_runtime = runtime();
  const store::ContainerRecord before = record_;
  try {
    subject::fit_images(options.image_directory, config_.cgroups ? dumped_cgroup : "",
                        config_.cgroups ? cgroup_path(config_, id()) : "");
    write_file_atomically(paths_.seccomp_filter(), criu::runtime_filter(options.image_directory),
                          0600);
    const pid_t pid = start_monitor(host_.layout, {.id = id(),
                                                   .name = name(),
                                                   .config = config_,
                                                   .runtime = *oci_runtime,
                                                   .restore = options});
    record_restored(pid);
    warn_of_misplaced_threads(options.image_directory, pid);
  } catch (...) {
    try_kill_all();
    record_ = before;  // what could not be stored is not so
    remove_runtime_state();
    if (record_.checkpointed && has_run_restored()) {
      warn("container " + name() + " has run from its checkpoint, which is used up now");
      record_.checkpointed = false;
      host_.store.update_container(record_);
    }
    if (config_.cgroups) cgroup::remove_cgroups(cgroup_path(config_, id()));
    throw;
  }
}

void Container::record_restored(pid_t pid) {
  // CRIU restores all mounts but the root, which is the runtime's, and that one leaves it writable.
  if (config_.read_only) make_root_read_only(pid);
  record_.checkpointed = false;
  record_.restored = true;
  record_.started_at = record_.restored_at = Instant::now().wall;
  record_.restore_log = oci::restore_log(paths_.restore_work());
  record_running(pid, process_start_time(pid));
}

void Container::keep_seccomp() const {
  if (!record_.restored || !security_of(config_).seccomp) return;
  const auto filter = read_file_if_exists(paths_.seccomp_filter());
  if (filter && !filter->empty()) runtime()->keep_seccomp(id(), *filter);
}

}  // namespace still::engine
