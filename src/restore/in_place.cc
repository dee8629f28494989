#include <fcntl.h>

#include <deque>
#include <set>

#include "archive/reader.h"
#include "base/error.h"
#include "base/hooks.h"
#include "cut/cancellation.h"
#include "engine/container/bundle.h"
#include "engine/container/volumes.h"
#include "journal/operation.h"
#include "journal/paths.h"
#include "os/files.h"
#include "restore/leftovers.h"
#include "restore/restore.h"
#include "restore/run.h"
#include "restore/unpacked.h"

namespace still::restore {
namespace {

// A directory that is replaced by an empty one of the same mode; the old one comes back unless the
// replacement is kept.
class Replaced {
 public:
  explicit Replaced(std::filesystem::path path) : path_(std::move(path)), aside_(aside(path_)) {
    remove_tree(aside_);
    std::filesystem::rename(path_, aside_);
    make_directory(path_, stat_fd(open_file(aside_, O_RDONLY | O_DIRECTORY)).st_mode & 07777);
  }
  Replaced(const Replaced&) = delete;
  Replaced& operator=(const Replaced&) = delete;
  ~Replaced() {
    if (kept_) return;
    undo([&] {
      remove_tree(path_);
      std::filesystem::rename(aside_, path_);
    });
  }

  const std::filesystem::path& path() const { return path_; }
  void keep() {
    kept_ = true;
    remove_tree(aside_);
  }

 private:
  const std::filesystem::path path_;
  const std::filesystem::path aside_;
  bool kept_ = false;
};

// Only then are its files still those of the checkpoint: images that --keep has left from an
// earlier one are older than them.
bool ended_by_checkpoint(const engine::Container& container) {
  return container.record().checkpointed && path_exists(container.paths().checkpoint());
}

void check_restorable(const engine::Container& container) {
  if (container.running()) {
    throw Error(ErrorKind::kConflict, "container " + container.name() + " is running",
                "stop it first, or restore an archive under another name");
  }
  if (ended_by_checkpoint(container) || path_exists(container.paths().live_checkpoint())) return;
  throw Error(ErrorKind::kConflict, "container " + container.name() + " has no checkpoint",
              "checkpoint it first, or restore from an archive with --import FILE");
}

RestoreResult restore_stopped(engine::Container& container, const journal::Host& host,
                              const RestoreOptions& options, cut::Observer& observer) {
  const cut::Cancellation cancellation;
  journal::Operation operation(host.store, container.about(kOperation),
                               [](journal::Entry& entry) { set_own_files_step(entry, false); });
  const engine::ContainerPaths& paths = container.paths();
  const auto fill = [&] {
    if (const auto shm = open_if_exists(paths.shm_content(), O_RDONLY)) {
      archive::extract_tree_tar(archive::file_source(*shm),
                                open_file(paths.shm(), O_RDONLY | O_DIRECTORY), {});
    }
    operation.update([](journal::Entry& entry) { set_own_files_step(entry, true); });
  };
  RestoreResult result = run_restored(container, host.layout, paths.checkpoint(),
                                      engine::cgroup_path(container.config(), container.id()),
                                      options, observer, fill);
  hooks::reached("restored");
  has_succeeded(operation);
  hooks::reached("succeeded");
  return result;
}

// Another container that runs would see the volume's content change under its hands.
void check_volume_free(engine::Volumes& volumes, const std::string& name,
                       const std::string& container_id) {
  for (const store::ContainerRecord& user : volumes.users(name)) {
    const bool running = user.status == store::ContainerStatus::kRunning ||
                         user.status == store::ContainerStatus::kPaused;
    if (user.id == container_id || !running) continue;
    throw Error(ErrorKind::kConflict,
                "volume " + name + " has to be set back, and container " + user.name + " uses it",
                "stop " + user.name + " first");
  }
}

RestoreResult restore_live(engine::Container& container, const journal::Host& host,
                           const RestoreOptions& options, cut::Observer& observer) {
  std::set<std::string> names;
  for (const engine::VolumeMount& volume : container.config().volumes) names.insert(volume.volume);
  engine::Volumes volumes(host);
  for (const std::string& name : names) check_volume_free(volumes, name, container.id());

  const cut::Cancellation cancellation;
  journal::Operation operation(host.store, container.about(kOperation), [&](journal::Entry& entry) {
    entry.add(journal::path_step(host.layout.staging("restore", entry.key)));
    for (const std::string& name : names) entry.add(set_aside_step(host.layout.volume_data(name)));
    entry.add(set_aside_step(container.paths().upper()));
    entry.add(set_back_step());
  });
  const UnpackedArchive archive(container.paths().live_checkpoint(),
                                host.layout.staging("restore", operation.key()),
                                read_options({}, cut::Step::kUnpack, observer));
  Replaced upper(container.paths().upper());
  std::deque<Replaced> replaced;
  for (const std::string& name : names) {
    archive.fill_volume(name, replaced.emplace_back(host.layout.volume_data(name)).path());
  }
  const auto fill = [&] {
    archive.fill_rootfs(container.paths().merged());
    archive.fill_shm(container.paths().shm());
  };
  RestoreResult result = run_restored(container, host.layout, archive.images(),
                                      archive.dumped_cgroup(), options, observer, fill);
  hooks::reached("restored");
  // Before what they replace goes, and the checkpoint with it.
  sync_file_system(container.paths().upper());
  has_succeeded(operation);
  hooks::reached("succeeded");
  upper.keep();
  for (Replaced& volume : replaced) volume.keep();
  return result;
}

}  // namespace

RestoreResult restore_in_place(engine::Container& container, const journal::Host& host,
                               const RestoreOptions& options, cut::Observer& observer) {
  const auto start = std::chrono::steady_clock::now();
  check_restorable(container);
  RestoreResult result = ended_by_checkpoint(container)
                             ? restore_stopped(container, host, options, observer)
                             : restore_live(container, host, options, observer);
  if (!options.keep) {
    remove_tree(container.paths().checkpoint());
    remove_tree(container.paths().live_checkpoint());
    remove_tree(container.paths().shm_content());
  }
  result.total = std::chrono::steady_clock::now() - start;
  return result;
}

}  // namespace still::restore
