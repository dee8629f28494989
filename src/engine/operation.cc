#include "engine/operation.h"

#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/hooks.h"
#include "base/log.h"
#include "base/text.h"
#include "cgroup/borrowed.h"
#include "engine/container/liveness.h"
#include "engine/container/lock.h"
#include "engine/container/names.h"
#include "engine/container/processes.h"
#include "engine/container/volumes.h"
#include "memory/fork_copy.h"
#include "oci/runtime_group.h"
#include "os/files.h"
#include "os/mount.h"
#include "os/process.h"

namespace still::engine {
namespace {

using store::FrozenCgroup;
using store::JournalEntry;

// A runtime that does nothing for so long has hung (as the default of --runtime-timeout).
constexpr std::chrono::seconds kHangTimeout{30};

bool is_of_this_boot(const JournalEntry& entry) { return entry.boot_id == boot_id(); }

bool nobody_looks_after(const JournalEntry& entry) {
  return !is_of_this_boot(entry) || (!is_alive(entry.owner) && !is_alive(entry.guardian));
}

// Its processes may outlive the one that gave the group its number; while they do, no other process
// gets that.
bool runtime_is_alive(const JournalEntry& entry) {
  if (entry.runtime.pid == 0 || !is_of_this_boot(entry)) return false;
  const auto start_time = process_start_time(entry.runtime.pid);
  if (start_time && *start_time != entry.runtime.start_time) return false;
  return group_is_alive(entry.runtime.pid);
}

bool is_about(const JournalEntry& entry, const std::string& container_id) {
  return entry.container_id == container_id ||
         std::ranges::contains(entry.cgroups, container_id, &FrozenCgroup::container_id);
}

void wait_for_runtime(const JournalEntry& entry) {
  if (!runtime_is_alive(entry)) return;
  const auto leader = open_pidfd(entry.runtime.pid);
  const auto leader_has_ended = [&](Deadline deadline) {
    return !leader || wait_for_exit(*leader, deadline);
  };
  oci::RuntimeGroup(entry.runtime.pid, entry.init, kHangTimeout, leader_has_ended).wait();
}

// Null if there is nothing to thaw.
std::unique_ptr<cgroup::Freezer> find_frozen(const FrozenCgroup& cgroup) try {
  if (!is_alive(cgroup.init)) return nullptr;
  const auto version = cgroup.version == "v1" ? cgroup::Version::kV1 : cgroup::Version::kV2;
  auto freezer = cgroup::Freezer::open({version, cgroup.directory.native(), cgroup.directory});
  if (freezer->inode() != cgroup.inode || !freezer->state().requested) return nullptr;
  return freezer;
} catch (const Error& error) {
  if (error.kind() == ErrorKind::kNotFound) return nullptr;
  throw;
}

class Undoing {
 public:
  Undoing(const Layout& layout, store::Store& store, const JournalEntry& entry)
      : layout_(layout), store_(store), entry_(entry) {}

  void run() {
    if (is_of_this_boot(entry_)) {
      if (!entry_.images.empty()) keep_images();
      for (const FrozenCgroup& cgroup : entry_.cgroups) thaw(cgroup);
      if (!entry_.fork_images.empty()) collect_copies();
      if (!entry_.lent_cgroup.empty()) {
        cgroup::dissolve_cgroup(entry_.lent_cgroup, entry_.lent_from);
      }
    }
    if (entry_.operation == kRestore) undo_restore();
    for (const auto& path : entry_.paths) remove(path);
  }

  // "thawed it and removed DIRECTORY"
  std::string describe() const { return done_.empty() ? "nothing was left" : join(done_, ", "); }

 private:
  void keep_images() try {
    if (Container::keep_interrupted_checkpoint(layout_, store_, entry_.container_id,
                                               entry_.images)) {
      done_.emplace_back("its checkpoint is complete and kept");
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNotFound) throw;  // removed meanwhile
  }

  void thaw(const FrozenCgroup& cgroup) {
    const auto freezer = find_frozen(cgroup);
    if (!freezer) return;
    freezer->request(false);
    done_.push_back(cgroup.container_id == entry_.container_id
                        ? "thawed it"
                        : "thawed " + cgroup.container_id.substr(0, 12));
  }

  void collect_copies() {
    if (!path_exists(entry_.fork_images / "inventory.img")) return;  // nothing was forked yet
    for (const store::ContainerRecord& container : store_.containers()) {
      if (container.id != entry_.container_id || !init_is_alive(container)) continue;
      const size_t count = memory::ForkCopy::collect_abandoned(processes_of(container.pid, nullptr),
                                                               entry_.fork_images);
      if (count > 0) done_.push_back(formatted("collected {} copies of its processes", count));
    }
  }

  void undo_restore() {
    if (entry_.in_own_files) return settle_in_own_files();
    if (entry_.brings_back) {
      Container::end_interrupted_restore(layout_, store_, entry_.container_id,
                                         Container::Afterwards::kExited);
      for (const auto& directory : entry_.set_aside) put_back(directory);
      return;
    }
    for (const store::ContainerRecord& container : store_.containers()) {
      if (container.made_by != entry_.key) continue;
      Container::end_interrupted_restore(layout_, store_, container.id,
                                         Container::Afterwards::kGone);
      done_.push_back("removed the container " + container.name);
    }
    for (const store::VolumeRecord& volume : store_.volumes()) {
      if (volume.made_by != entry_.key) continue;
      Volumes(layout_, store_).remove(volume.name, true);
      done_.push_back("removed the volume " + volume.name);
    }
  }

  void settle_in_own_files() {
    // A log of CRIU's from before a reboot may be lost.
    const bool log_knows = entry_.may_have_run && is_of_this_boot(entry_);
    switch (Container::settle_interrupted_restore(
        layout_, store_, entry_.container_id,
        log_knows ? std::nullopt : std::optional(entry_.may_have_run))) {
      case Container::InOwnFiles::kRuns:
        done_.emplace_back("it is complete, and runs");
        break;
      case Container::InOwnFiles::kUsedUp:
        done_.emplace_back("it had begun to run, and changed files: its checkpoint is used up");
        break;
      case Container::InOwnFiles::kAtCheckpoint:
        break;
    }
  }

  void put_back(const std::filesystem::path& directory) {
    if (!path_exists(aside(directory))) return;
    remove_tree(directory);
    std::filesystem::rename(aside(directory), directory);
    done_.push_back("put " + printable(directory.native()) + " back");
  }

  void remove(const std::filesystem::path& path) {
    if (!path_exists(path)) return;
    unmount_below(path);
    remove_tree(path);
    done_.push_back("removed " + printable(path.native()));
  }

  const Layout& layout_;
  store::Store& store_;
  const JournalEntry& entry_;
  std::vector<std::string> done_;
};

// Nobody else does it at the same time.
void undo(const Layout& layout, store::Store& store, const JournalEntry& entry) {
  const std::string what =
      formatted("a {} of {} was interrupted", entry.operation, printable(entry.container_name));
  try {
    Undoing undoing(layout, store, entry);
    undoing.run();
    store.remove_journal_entry(entry.key);
    warn(what + "; " + undoing.describe());
  } catch (const Error& error) {
    warn(what + " and cannot be undone yet: " + error.message());
  }
}

void undo_all(const Layout& layout, store::Store& store) {
  const Fd alone = lock_shared_part(layout, "recovery");
  const std::vector<JournalEntry> entries = store.journal();
  hooks::reached("journal read");
  for (const JournalEntry& read : entries) {
    if (!nobody_looks_after(read)) continue;
    // It may have ended well since it was read. Now that its processes are gone nobody changes it.
    const auto entry = store.journal_entry(read.key);
    if (entry && nobody_looks_after(*entry) && !runtime_is_alive(*entry)) {
      undo(layout, store, *entry);
    }
  }
  remove_orphaned_locks(layout, [&](const std::string& id) {
    return std::ranges::contains(store.containers(), id, &store::ContainerRecord::id);
  });
}

}  // namespace

Operation::Operation(store::Store& store, const std::string& name, const Change& prepare)
    : store_(store) {
  constexpr size_t kKeyLength = 16;
  entry_.key = make_id().substr(0, kKeyLength);
  entry_.operation = name;
  entry_.boot_id = boot_id();
  entry_.owner = identify_process(::getpid());
  update(prepare);
}

Operation::Operation(store::Store& store, const std::string& name, const Container& container,
                     const Change& prepare)
    : Operation(store, name, [&](JournalEntry& entry) {
        entry.container_id = container.id();
        entry.container_name = container.name();
        entry.init = container.record().pid;
        prepare(entry);
      }) {}

Operation::~Operation() {
  if (std::ranges::any_of(entry_.paths, path_exists)) return;
  try {
    store_.remove_journal_entry(entry_.key);
  } catch (const Error& error) {
    warn(error.message());
  }
}

void Operation::update(const Change& change) {
  change(entry_);
  store_.put_journal_entry(entry_);
}

void Operation::has_succeeded() {
  update([](JournalEntry& entry) {
    for (const auto& directory : entry.set_aside) entry.paths.push_back(aside(directory));
    entry.operation = "clean-up after a " + entry.operation;
    entry.set_aside.clear();
  });
}

std::filesystem::path aside(const std::filesystem::path& directory) {
  return directory.native() + ".before-restore";
}

FrozenCgroup identify_cgroup(const Container& container, const cgroup::Freezer& freezer) {
  return {.container_id = container.id(),
          .init = {container.record().pid, container.record().pid_start_time},
          .version = cgroup::to_string(freezer.version()),
          .directory = freezer.directory(),
          .inode = freezer.inode()};
}

void undo_interrupted_operations(const Layout& layout, store::Store& store) {
  if (std::ranges::any_of(store.journal(), nobody_looks_after)) undo_all(layout, store);
}

bool has_interrupted_operation(store::Store& store, const std::string& container_id) {
  return std::ranges::any_of(store.journal(), [&](const JournalEntry& entry) {
    return is_about(entry, container_id) && nobody_looks_after(entry);
  });
}

void undo_interrupted_operation(const Layout& layout, store::Store& store,
                                const std::string& container_id) {
  for (const JournalEntry& entry : store.journal()) {
    if (is_about(entry, container_id) && nobody_looks_after(entry)) wait_for_runtime(entry);
  }
  undo_all(layout, store);
}

}  // namespace still::engine
