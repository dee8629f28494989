// One container, locked for as long as the object lives: no other still process changes it, starts
// a process in it or removes it meanwhile. What the record says has been compared with the machine
// when the object is made (a container whose init has ended is exited, with conmon's exit code).
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cgroup/freezer.h"
#include "cgroup/room.h"
#include "engine/container/container_config.h"
#include "engine/container/kept_checkpoints.h"
#include "engine/container/paths.h"
#include "journal/host.h"
#include "journal/operation.h"
#include "oci/runtime.h"
#include "store/lock.h"
#include "store/store.h"
#include "subject/destination.h"

namespace still::engine {

class Container {
 public:
  // Makes the record, the directories and anonymous or missing named volumes of a new container.
  // On error nothing is left. name empty: one is made up. Error(kConflict): name in use.
  // id empty: a new random one; a restore under its own name keeps the id of the archive.
  // operation: the key of one that takes container and volumes along if it is interrupted.
  static Container create(const journal::Host& host, ContainerConfig config,
                          const std::string& name, const std::string& id = {},
                          const std::string& operation = {});
  // reference: name, id, unique id prefix. Waits for the lock. Error(kNotFound), Error(kUsage).
  static Container open(const journal::Host& host, const std::string& reference);

  const std::string& id() const { return record_.id; }
  const std::string& name() const { return record_.name; }
  const store::ContainerRecord& record() const { return record_; }
  const ContainerConfig& config() const { return config_; }
  const ContainerPaths& paths() const { return paths_; }
  bool running() const;  // running or paused
  // For an operation's entry in the journal.
  journal::About about(const std::string& operation) const;

  // --- life cycle; each throws Error(kConflict) if the state forbids it -------------------------
  // prepared: called when conmon is there and the container's first instruction has not run yet;
  // the moment to attach. If it throws, the container does not run. A checkpoint that the last run
  // has ended with goes as soon as the container can run: its files are about to move on.
  void start(const std::function<void()>& prepared = {});
  // SIGTERM (stop signal), after the time-out SIGKILL; returns when the container has ended, and
  // with
  // --rm been removed. One that is not running is stopped already; a paused one cannot be stopped.
  void stop(std::chrono::seconds timeout);
  void kill(int signal);
  void pause();
  void unpause();
  // Removes container and anonymous volumes. A running one only with force (it is killed).
  void remove(bool force);
  // Called by conmon when the container has ended: records the exit, unmounts, removes with --rm.
  void clean_up();
  // Waits until the container has ended, the lock released meanwhile; returns its exit code. With
  // --rm the container is gone then.
  int wait();

  // Lets other still processes at the container while `work` runs, then locks and compares with the
  // machine again. Error(kNotFound) if the container is gone by then.
  void unlocked(const std::function<void()>& work);

  // --- what a checkpoint needs -------------------------------------------------------------------
  std::unique_ptr<oci::OciRuntime> runtime() const;
  // Of a restored container: has an exec get the seccomp filter of the others. Before each.
  void keep_seccomp() const;
  // The freezer of the container's own cgroup; null without one (--cgroups=disabled, or the
  // container lives in a cgroup that the engine did not make for it).
  std::unique_ptr<cgroup::Freezer> freezer() const;
  // What the limits of its own cgroup leave it; all there is without one.
  cgroup::Room room() const;
  // Layers below the writable one, the top one first.
  std::vector<std::filesystem::path> lower_layers() const;
  // A live checkpoint was taken: sets the moment, path and log.
  void record_checkpoint(const std::filesystem::path& path, const std::filesystem::path& log);
  // Whether CRIU has written complete images of the container there and ended it, whatever became
  // of the runtime. Waits a moment for kills that are under way.
  bool has_ended_in(const std::filesystem::path& images) const;
  // The default checkpoint: CRIU has ended the container. Takes the directory of its images, keeps
  // the content of /dev/shm, makes both and the container's files durable, waits for conmon's exit
  // file, records exited and Checkpointed, unmounts root file system and /dev/shm.
  void keep_checkpoint(const std::filesystem::path& images, const std::filesystem::path& log);
  // The same for a default checkpoint whose process died. False, and nothing done, unless the
  // images are complete and the container has ended.
  static bool keep_interrupted_checkpoint(const journal::Host& host, const std::string& id,
                                          const std::filesystem::path& images);

  // Removes the one of that kind from the store; one that is not there is no error. Without its
  // stopping checkpoint the container is one that has ended.
  void discard_checkpoint(CheckpointKind kind);

  // --- what a restore needs ----------------------------------------------------------------------
  // Mounts root file system and /dev/shm (both must not be mounted) and writes the bundle, as start
  // does, without starting anything. undo: unmount().
  void mount();
  void unmount();
  // Starts conmon so that the runtime restores the container from the images; mount() came before.
  // On success the record says running and restored. On failure throws Error(kRuntime) with what
  // the runtime says (CRIU's log is in the work directory); nothing runs and no cgroup is left, the
  // mounts stay.
  // dumped_cgroup: where the container lived when it was dumped, empty without a cgroup of its own;
  // the images are rewritten so that CRIU puts the tasks into this container's cgroup.
  // A container that has run from its default checkpoint before the failure is not at it any more:
  // its files have moved on. The record says so, and a warning.
  void start_restored(const oci::RestoreOptions& options, const std::string& dumped_cgroup);

  // --- after a restore whose process died --------------------------------------------------------
  // Ends what it may have left of the container: monitor, runtime, CRIU, tasks, mounts, cgroups.
  // The container has exited then, or gone, too. One that has gone already is no error, here and
  // below.
  enum class Afterwards { kExited, kGone };
  static void end_interrupted_restore(const journal::Host& host, const std::string& id,
                                      Afterwards afterwards);
  // The same for a restore from a default checkpoint, with the container's own files: once its
  // tasks have run these have moved on, and nothing brings them back. Waits for the runtime. kRuns:
  // the restore is complete, and recorded as such. kAtCheckpoint: ended, and restorable as before.
  // kUsedUp: ended, and exited without a checkpoint, because its tasks have run.
  // has_run: whether they have; nullopt: CRIU's log knows.
  static subject::InOwnFiles settle_interrupted_restore(const journal::Host& host,
                                                        const std::string& id,
                                                        std::optional<bool> has_run);

 private:
  Container(const journal::Host& host, store::ContainerLock lock, store::ContainerRecord record);
  static store::ContainerRecord find_locked(store::Store& store, store::ContainerLock& lock,
                                            const std::string& id);
  void prepare_new();
  // Reads the record again, after the lock was away. Error(kNotFound): the container is gone.
  void reload();
  // Makes the record true: init may have ended, or have been frozen or thawed, behind our back.
  void refresh();
  bool seen_frozen() const;
  std::filesystem::path runtime_state_root() const;

  void require_running() const;
  void require_stopped() const;
  std::unique_ptr<cgroup::Freezer> require_freezer() const;

  // Monitor, runtime and tasks of a restore that came to nothing.
  void kill_all() const;
  void try_kill_all() const noexcept;
  void start_process(const std::function<void()>& prepared);
  // Ends its processes, and says so in the record, which is not stored yet.
  void end_restored();
  void record_restored(pid_t pid);
  // Of its last restore.
  bool has_run_restored() const;
  void remove_images() const;
  void record_running(pid_t pid, std::optional<uint64_t> start_time);
  void record_exit();
  // What a run leaves: the runtime's state (and its processes, if any), mounts, cgroups, pid files.
  void release_resources();
  void remove_runtime_state();
  // After the end of init.
  void finish();
  // SIGKILL.
  void end_now();
  void remove_anonymous_volumes();

  const journal::Host host_;
  store::ContainerLock lock_;
  store::ContainerRecord record_;
  ContainerConfig config_;
  ContainerPaths paths_;
};

// What the record would say after a look at the machine, for lists: takes no lock (so it does not
// wait for a checkpoint that is going on) and changes nothing.
store::ContainerRecord current(const store::Layout& layout, store::ContainerRecord record);

}  // namespace still::engine
