#include <fcntl.h>

#include <deque>

#include "archive/members.h"
#include "archive/reader.h"
#include "base/error.h"
#include "base/hooks.h"
#include "base/undo.h"
#include "cut/cancellation.h"
#include "journal/operation.h"
#include "journal/paths.h"
#include "os/files.h"
#include "os/inode_flags.h"
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
    const Fd directory = open_file(path_, O_RDONLY | O_DIRECTORY);
    flags_ = read_inode_flags(directory);
    if (flags_ != 0) write_inode_flags(directory, 0);
    std::filesystem::rename(path_, aside_);
    make_directory(path_, stat_fd(directory).st_mode & 07777);
  }
  Replaced(const Replaced&) = delete;
  Replaced& operator=(const Replaced&) = delete;
  ~Replaced() {
    if (kept_) return;
    undo([&] { put_back(path_, flags_); });
  }

  const std::filesystem::path& path() const { return path_; }
  void keep() {
    kept_ = true;
    remove_tree(aside_);
  }

 private:
  const std::filesystem::path path_;
  const std::filesystem::path aside_;
  uint32_t flags_ = 0;
  bool kept_ = false;
};

void check_restorable(const subject::StoredContainer& stored, const std::string& name) {
  if (stored.is_running) {
    throw Error(ErrorKind::kConflict, "container " + name + " is running",
                "stop it first, or restore an archive under another name");
  }
  if (stored.images || stored.archive) return;
  throw Error(ErrorKind::kConflict, "container " + name + " has no checkpoint",
              "checkpoint it first, or restore from an archive with --import FILE");
}

journal::About about(const subject::Place& place) {
  return {.operation = kOperation, .container_id = place.id, .container_name = place.name};
}

// With its own files, as they are.
RestoreResult restore_stopped(subject::StoredCheckpoint& checkpoint, const journal::Host& host,
                              const RestoreOptions& options, cut::Observer& observer) {
  const subject::StoredContainer& stored = checkpoint.stored();
  const subject::Place& place = checkpoint.container().place();
  const cut::Cancellation cancellation;
  journal::Operation operation(host.store, about(place),
                               [](journal::Entry& entry) { set_own_files_step(entry, false); });
  const auto fill = [&] {
    if (const auto shm = open_if_exists(stored.shm_content, O_RDONLY)) {
      archive::extract_tree_tar(archive::file_source(*shm),
                                open_file(place.shm, O_RDONLY | O_DIRECTORY),
                                archive::kVolumeExtraction);
    }
    operation.update([](journal::Entry& entry) { set_own_files_step(entry, true); });
  };
  RestoreResult result = run_restored(checkpoint.container(), host.layout, *stored.images,
                                      stored.cgroup, options, observer, fill);
  hooks::reached("restored");
  has_succeeded(operation);
  hooks::reached("succeeded");
  return result;
}

// Set back to the archive of a live checkpoint.
RestoreResult restore_live(subject::StoredCheckpoint& checkpoint, const subject::DumpReader& dumps,
                           const journal::Host& host, const RestoreOptions& options,
                           cut::Observer& observer) {
  checkpoint.check_volumes_free();
  const subject::StoredContainer& stored = checkpoint.stored();
  const subject::Place& place = checkpoint.container().place();

  const cut::Cancellation cancellation;
  journal::Operation operation(host.store, about(place), [&](journal::Entry& entry) {
    entry.add(journal::path_step(host.layout.staging("restore", entry.key)));
    for (const auto& [name, content] : stored.volumes) entry.add(set_aside_step(content));
    entry.add(set_aside_step(stored.writable_layer));
    if (!place.etc.empty()) entry.add(set_aside_step(place.etc));
    entry.add(set_back_step());
  });
  const UnpackedArchive archive(*stored.archive, host.layout.staging("restore", operation.key()),
                                dumps, read_options({}, cut::Step::kUnpack, observer));
  Replaced upper(stored.writable_layer);
  std::deque<Replaced> replaced;
  if (!place.etc.empty()) replaced.emplace_back(place.etc);
  for (const auto& [name, content] : stored.volumes) {
    archive.fill_volume(name, replaced.emplace_back(content).path());
  }
  const auto fill = [&] {
    archive.fill_rootfs(place.root);
    archive.fill_shm(place.shm);
    archive.fill_etc(place.etc);
  };
  RestoreResult result = run_restored(checkpoint.container(), host.layout, archive.images(),
                                      archive.dumped_cgroup(), options, observer, fill);
  hooks::reached("restored");
  // Before what they replace goes, and the checkpoint with it.
  sync_file_system(stored.writable_layer);
  has_succeeded(operation);
  hooks::reached("succeeded");
  upper.keep();
  for (Replaced& directory : replaced) directory.keep();
  return result;
}

}  // namespace

RestoreResult restore_in_place(subject::Destination& destination, const std::string& reference,
                               const journal::Host& host, const RestoreOptions& options,
                               cut::Observer& observer) {
  const auto checkpoint = destination.open(reference);  // may have to wait
  const auto start = std::chrono::steady_clock::now();
  check_restorable(checkpoint->stored(), checkpoint->container().place().name);
  RestoreResult result =
      checkpoint->stored().images
          ? restore_stopped(*checkpoint, host, options, observer)
          : restore_live(*checkpoint, destination.dumps(), host, options, observer);
  if (!options.keep) checkpoint->remove_checkpoint();
  result.total = std::chrono::steady_clock::now() - start;
  return result;
}

}  // namespace still::restore
