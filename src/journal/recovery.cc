#include "journal/recovery.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/hooks.h"
#include "base/log.h"
#include "base/text.h"
#include "journal/entry.h"
#include "journal/undoers.h"
#include "oci/runtime_group.h"
#include "os/clock.h"
#include "os/process.h"
#include "store/lock.h"

namespace still::journal {
namespace {

// A runtime that does nothing for so long has hung (as the default of --runtime-timeout).
constexpr std::chrono::seconds kHangTimeout{30};

bool is_of_this_boot(const Entry& entry) { return entry.boot_id == boot_id(); }

bool nobody_looks_after(const Entry& entry) {
  return !is_of_this_boot(entry) || (!is_alive(entry.owner) && !is_alive(entry.guardian));
}

// Its processes may outlive the one that gave the group its number; while they do, no other process
// gets that.
bool runtime_is_alive(const Entry& entry) {
  if (entry.runtime.pid == 0 || !is_of_this_boot(entry)) return false;
  const auto start_time = process_start_time(entry.runtime.pid);
  if (start_time && *start_time != entry.runtime.start_time) return false;
  return group_is_alive(entry.runtime.pid);
}

bool is_about(const Entry& entry, const std::string& container_id) {
  return entry.container_id == container_id ||
         std::ranges::contains(entry.steps, container_id, &Step::container_id);
}

void wait_for_runtime(const Entry& entry) {
  if (!runtime_is_alive(entry)) return;
  const auto leader = open_pidfd(entry.runtime.pid);
  const auto leader_has_ended = [&](Deadline deadline) {
    return !leader || wait_for_exit(*leader, deadline);
  };
  oci::RuntimeGroup(entry.runtime.pid, entry.init.pid, kHangTimeout, leader_has_ended).wait();
}

// Nobody else does it at the same time.
void undo(const Host& host, const Entry& entry) {
  const std::string what =
      formatted("a {} of {} was interrupted", entry.operation, printable(entry.container_name));
  try {
    const auto done = host.undoers.undo(host, entry);
    host.store.remove_journal_entry(entry.key);
    // "thawed it, removed DIRECTORY"
    warn(what + "; " + (done.empty() ? "nothing was left" : join(done, ", ")));
  } catch (const Error& error) {
    warn(what + " and cannot be undone yet: " + error.message());
  }
}

void undo_all(const Host& host) {
  const Fd alone = store::lock_shared_part(host.layout, "recovery");
  const std::vector<Entry> entries = read_entries(host.store);
  hooks::reached("journal read");
  for (const Entry& read : entries) {
    if (!nobody_looks_after(read)) continue;
    // The operation may have ended well since its entry was read. Now that its processes are gone
    // nobody changes that.
    const auto entry = read_entry(host.store, read.key);
    if (entry && nobody_looks_after(*entry) && !runtime_is_alive(*entry)) undo(host, *entry);
  }
  store::remove_orphaned_locks(host.layout, [&](const std::string& id) {
    return std::ranges::contains(host.store.containers(), id, &store::ContainerRecord::id);
  });
}

}  // namespace

void undo_interrupted_operations(const Host& host) {
  if (std::ranges::any_of(read_entries(host.store), nobody_looks_after)) undo_all(host);
}

bool has_interrupted_operation(store::Store& store, const std::string& container_id) {
  return std::ranges::any_of(read_entries(store), [&](const Entry& entry) {
    return is_about(entry, container_id) && nobody_looks_after(entry);
  });
}

void undo_interrupted_operation(const Host& host, const std::string& container_id) {
  for (const Entry& entry : read_entries(host.store)) {
    if (is_about(entry, container_id) && nobody_looks_after(entry)) wait_for_runtime(entry);
  }
  undo_all(host);
}

}  // namespace still::journal
