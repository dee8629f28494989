#include "engine/container/container.h"

#include <fcntl.h>
#include <signal.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "cgroup/container_cgroup.h"
#include "engine/container/bundle.h"
#include "engine/container/etc_files.h"
#include "engine/container/liveness.h"
#include "engine/container/mounts.h"
#include "engine/container/rootfs.h"
#include "engine/container/volumes.h"
#include "engine/monitor/monitor.h"
#include "engine/monitor/runtime_errors.h"
#include "journal/recovery.h"
#include "os/files.h"
#include "os/mount.h"
#include "os/process.h"

namespace still::engine {
namespace {

using store::ContainerRecord;
using store::ContainerStatus;

constexpr auto kFreezeTimeout = std::chrono::seconds(10);
// A process that was killed ends at once, unless a device or network file system holds it.
constexpr auto kKillTimeout = std::chrono::seconds(30);

void run_created(const oci::OciRuntime& runtime, const std::string& id) try {
  runtime.start(id);
} catch (const Error& error) {
  throw error.kind() == ErrorKind::kRuntime ? runtime_error(error.message()) : error;
}

// A process that is frozen on cgroup v1 dies only once it is thawed.
void let_die(const Container& container) try {
  if (const auto own = container.freezer(); own && own->state().requested) own->request(false);
} catch (const Error& error) {
  if (error.kind() != ErrorKind::kNotFound) throw;  // it has died, and its cgroup is gone
}

}  // namespace

// A command that has waited for the lock of a container may hold the lock file of nothing: the
// container was removed meanwhile.
ContainerRecord Container::find_locked(store::Store& store, store::ContainerLock& lock,
                                       const std::string& id) try {
  return store.find_container(id);
} catch (const Error& error) {
  if (error.kind() == ErrorKind::kNotFound) lock.remove();
  throw;
}

Container::Container(const journal::Host& host, store::ContainerLock lock, ContainerRecord record)
    : host_(host),
      lock_(std::move(lock)),
      record_(std::move(record)),
      config_(parse_container_config(record_.config_json)),
      paths_(host_.layout.container(record_.id)) {}

Container Container::open(const journal::Host& host, const std::string& reference) {
  const std::string id = host.store.find_container(reference).id;
  store::ContainerLock lock = store::ContainerLock::acquire(host.layout, id);
  // The process that held the lock may have died.
  if (journal::has_interrupted_operation(host.store, id)) {
    lock.release();
    journal::undo_interrupted_operation(host, id);
    lock.reacquire();
  }
  auto record = find_locked(host.store, lock, id);
  Container container(host, std::move(lock), std::move(record));
  container.refresh();
  return container;
}

void Container::reload() {
  record_ = find_locked(host_.store, lock_, record_.id);
  config_ = parse_container_config(record_.config_json);
  refresh();
}

void Container::refresh() {
  if (!running()) return;
  if (!init_is_alive(record_)) return finish();
  const ContainerStatus seen = seen_frozen() ? ContainerStatus::kPaused : ContainerStatus::kRunning;
  if (seen == record_.status) return;
  record_.status = seen;
  host_.store.update_container(record_);
}

bool Container::seen_frozen() const try {
  const auto own = freezer();
  return own && own->state().requested;
} catch (const Error&) {
  // init has just ended, and its cgroup went with it.
  if (!init_is_alive(record_)) return false;
  throw;
}

bool Container::running() const { return is_running(record_); }

journal::About Container::about(const std::string& operation) const {
  return {.operation = operation,
          .container_id = id(),
          .container_name = name(),
          .init = {record_.pid, record_.pid_start_time}};
}

void Container::require_running() const {
  if (running()) return;
  throw Error(ErrorKind::kConflict, formatted("container {} is not running, it is {}", name(),
                                              to_string(record_.status)));
}

void Container::require_stopped() const {
  if (!running()) return;
  throw Error(ErrorKind::kConflict,
              formatted("container {} is {}", name(), to_string(record_.status)));
}

std::unique_ptr<cgroup::Freezer> Container::require_freezer() const {
  if (auto own = freezer()) return own;
  throw Error(ErrorKind::kUnsupported,
              formatted("container {} has no cgroup of its own to be frozen by", name()),
              "create it without --cgroups=disabled");
}

void Container::mount() {
  make_directory(paths_.base, 0700);
  mount_rootfs(paths_, lower_layers(), config_);
  try {
    if (find_places(config_, open_file(paths_.merged(), O_RDONLY | O_DIRECTORY))) {
      record_.config_json = to_json(config_);
      host_.store.update_container(record_);
    }
    write_bundle(host_.layout, {id(), name()}, config_, paths_);
  } catch (...) {
    unmount();
    throw;
  }
}

void Container::unmount() { unmount_rootfs(paths_); }

void Container::start(const std::function<void()>& prepared) {
  require_stopped();
  remove_runtime_state();  // of a start that was interrupted: what lives then is not ours
  if (config_.cgroups) cgroup::require_unused(cgroup_path(config_, id()));
  release_resources();
  make_directory(paths_.base, 0700);
  renew_etc_files(paths_, config_, hostname_of(config_, id()), name());
  mount();
  try {
    if (record_.started_at == std::chrono::nanoseconds{}) {
      fill_new_volumes(host_.layout, paths_, config_);
    }
    start_process(prepared);
  } catch (...) {
    release_resources();
    throw;
  }
}

void Container::start_process(const std::function<void()>& prepared) {
  const auto oci_runtime = runtime();
  const pid_t pid = start_monitor(
      host_.layout,
      {.id = id(), .name = name(), .config = config_, .runtime = *oci_runtime, .restore = {}});
  // Before anything of the container can run, and end.
  const auto start_time = process_start_time(pid);
  if (prepared) prepared();
  record_.started_at = Instant::now().wall;  // it may have ended before we are back
  record_.restored = false;
  const bool was_checkpointed = std::exchange(record_.checkpointed, false);
  if (was_checkpointed) {
    record_.checkpoint_path.clear();
    // Before it changes a file, for we may be killed.
    host_.store.update_container(record_);
  }
  run_created(*oci_runtime, id());
  record_running(pid, start_time);
  if (was_checkpointed) remove_images();
}

// Without the files of that moment they are of no use.
void Container::remove_images() const {
  remove_tree(paths_.checkpoint());
  remove_tree(paths_.shm_content());
}

void Container::record_running(pid_t pid, std::optional<uint64_t> start_time) {
  record_.status = ContainerStatus::kRunning;
  record_.pid = pid;
  // Without a start time the process has ended; the next look finds that out.
  record_.pid_start_time = start_time.value_or(0);
  record_.boot_id = boot_id();
  record_.exit_code = 0;
  record_.finished_at = {};
  host_.store.update_container(record_);
}

void Container::record_exit() {
  const auto ended = wait_for_exit_record(host_.layout, record_);
  record_.status = ContainerStatus::kExited;
  record_.pid = 0;
  record_.pid_start_time = 0;
  record_.exit_code = ended.code;
  record_.finished_at = ended.at;
}

void Container::release_resources() {
  remove_runtime_state();
  unmount();
  if (config_.cgroups) cgroup::remove_cgroups(cgroup_path(config_, id()));
  remove_tree(host_.layout.run(id()));
}

void Container::remove_runtime_state() {
  // Without its state the runtime need not be asked, nor even be there.
  const auto state = runtime_state_root() / id();
  if (!path_exists(state)) return;
  // A runc that is killed while it restores leaves the root file system mounted in there, and no
  // state that it would take for a container: its "delete" then removes everything below, through
  // the mount.
  unmount_below(state);
  runtime()->remove(id());
  remove_tree(state);
  // If that ended the container, conmon is about to say so; not to the next run.
  wait_for_exit_record(host_.layout, record_);
}

void Container::finish() {
  record_exit();
  release_resources();
  host_.store.update_container(record_);
}

void Container::end_now() {
  const auto init = open_pidfd(record_.pid);
  if (init && init_is_alive(record_)) {
    send_signal(*init, SIGKILL);
    let_die(*this);
    if (!wait_for_exit(*init, deadline_in(kKillTimeout))) {
      throw Error(ErrorKind::kTimeout,
                  formatted("process {} of container {} does not end", record_.pid, name()),
                  "it is probably stuck in the kernel");
    }
  }
  finish();
}

void Container::stop(std::chrono::seconds timeout) {
  if (!running()) return;
  if (record_.status == ContainerStatus::kPaused) {
    throw Error(ErrorKind::kConflict,
                formatted("container {} is paused and cannot be stopped", name()),
                "unpause it first, or kill it");
  }
  const auto init = open_pidfd(record_.pid);
  if (init && init_is_alive(record_)) {
    send_signal(*init, config_.stop_signal);
    if (!wait_for_exit(*init, deadline_in(timeout)) && config_.stop_signal != SIGKILL) {
      warn(formatted("container {} did not stop within {} after signal {}; killing it", name(),
                     timeout, config_.stop_signal));
    }
  }
  end_now();
  if (config_.remove_when_done) remove(false);
}

void Container::kill(int signal) {
  require_running();
  const auto init = open_pidfd(record_.pid);
  if (!init || !init_is_alive(record_)) return;
  send_signal(*init, signal);
  if (signal != SIGKILL || record_.status != ContainerStatus::kPaused) return;
  let_die(*this);
}

void Container::pause() {
  require_running();
  if (record_.status == ContainerStatus::kPaused) {
    throw Error(ErrorKind::kConflict, formatted("container {} is paused already", name()));
  }
  require_freezer()->freeze(deadline_in(kFreezeTimeout));
  record_.status = ContainerStatus::kPaused;
  host_.store.update_container(record_);
}

void Container::unpause() {
  if (record_.status != ContainerStatus::kPaused) {
    throw Error(ErrorKind::kConflict, formatted("container {} is not paused", name()));
  }
  require_freezer()->thaw(deadline_in(kFreezeTimeout));
  record_.status = ContainerStatus::kRunning;
  host_.store.update_container(record_);
}

void Container::remove(bool force) {
  if (running() && !force) {
    throw Error(ErrorKind::kConflict,
                formatted("container {} is {}", name(), to_string(record_.status)),
                "stop it first, or remove it with --force");
  }
  if (running()) end_now();
  release_resources();
  remove_tree(paths_.base);
  host_.store.remove_container(id());
  remove_anonymous_volumes();
  lock_.remove();
}

void Container::remove_anonymous_volumes() {
  Volumes volumes(host_);
  for (const VolumeMount& mount : config_.volumes) {
    const auto volume = host_.store.volume(mount.volume);
    if (volume && volume->anonymous && volumes.users(mount.volume).empty()) {
      volumes.remove(mount.volume, false);
    }
  }
}

void Container::clean_up() {
  if (running()) return;  // started again since
  release_resources();
  if (record_.status == ContainerStatus::kExited && config_.remove_when_done &&
      !record_.checkpointed) {
    remove(false);
  }
}

int Container::wait() {
  if (!running()) {
    const int code = record_.exit_code;
    clean_up();
    return code;
  }
  const auto init = open_pidfd(record_.pid);
  lock_.release();
  if (init && init_is_alive(record_)) wait_for_exit(*init, Deadline::max());
  const int code = wait_for_exit_record(host_.layout, record_).code;
  try {
    lock_.reacquire();
    reload();
    clean_up();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound) throw;  // removed: nothing more to do
  }
  return code;
}

void Container::unlocked(const std::function<void()>& work) {
  lock_.release();
  try {
    work();
  } catch (...) {
    lock_.reacquire();
    throw;
  }
  lock_.reacquire();
  reload();
}

}  // namespace still::engine
