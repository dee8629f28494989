// Operations that must not be left half done when their process dies: what they are about to make
// or freeze is in the store's journal before they do it, and any later command undoes it.
#pragma once

#include <functional>
#include <string>

#include "engine/container/container.h"
#include "engine/layout.h"
#include "store/store.h"

namespace still::engine {

// Names of operations.
inline constexpr const char* kCheckpoint = "checkpoint";
inline constexpr const char* kRestore = "restore";

class Operation {
 public:
  using Change = std::function<void(store::JournalEntry&)>;

  // Of this process. prepare: completes the entry with what is needed by undoing (paths with key in
  // their names). Durable in the journal when it returns.
  Operation(store::Store& store, const std::string& name, const Change& prepare);
  // On a container that there is.
  Operation(store::Store& store, const std::string& name, const Container& container,
            const Change& prepare);
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  // Removes the entry, unless something that it names is still there: the next command will try
  // again. A failure is logged, the entry stays then, too.
  ~Operation();

  // Unique, of characters that can be in file names.
  const std::string& key() const { return entry_.key; }
  // From here on only what is left of its paths, and of directories set aside, is to be removed.
  void has_succeeded();
  // Changes the entry, durably.
  void update(const Change& change);

 private:
  store::Store& store_;
  store::JournalEntry entry_;
};

// What a directory held before it was emptied (JournalEntry::set_aside).
std::filesystem::path aside(const std::filesystem::path& directory);

// The cgroup of a container's freezer, as the journal knows it.
store::FrozenCgroup identify_cgroup(const Container& container, const cgroup::Freezer& freezer);

// Undoes operations whose process, guardian and runtime have ended: thaws what they have frozen,
// removes what they have made, and says so, one line for each. One that cannot be undone is a
// warning, and stays in the journal.
void undo_interrupted_operations(const Layout& layout, store::Store& store);

// Whether an operation on the container was interrupted and is not undone yet. Those whose process
// or guardian is alive hold the container's lock, or have let it go.
bool has_interrupted_operation(store::Store& store, const std::string& container_id);
// For a container whose lock is not held: waits until the runtime of such operations has ended,
// then does as above.
void undo_interrupted_operation(const Layout& layout, store::Store& store,
                                const std::string& container_id);

}  // namespace still::engine
