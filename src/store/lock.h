// The exclusive lock of one container: flock(2) on a file in the runroot, so that it goes with its
// holder, however that ends.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "os/fd.h"
#include "store/layout.h"

namespace still::store {

// What acquire() does from now on, in this process, when somebody else has the lock: wait (as it
// begins), or fail.
enum class WhenLocked { kWait, kFail };
void set_when_locked(WhenLocked what);

class ContainerLock {
 public:
  // Waits for the lock; after one second says on standard error that it waits and for whom. Or, see
  // above, throws Error(kConflict) with the same words.
  static ContainerLock acquire(const Layout& layout, const std::string& id);
  void release();
  void reacquire();
  // Removes the lock file: the container is gone. Still locked until release or destruction; who
  // waits for it finds no container then.
  void remove();

 private:
  ContainerLock(Fd file, std::filesystem::path path)
      : file_(std::move(file)), path_(std::move(path)) {}
  Fd file_;
  std::filesystem::path path_;
};

// Removes the lock files of containers that do not exist: who is killed before the first record of
// a new one leaves one. exists: whether there is a container of an id.
void remove_orphaned_locks(const Layout& layout,
                           const std::function<bool(const std::string& id)>& exists);

// An exclusive lock for things that belong to no container, as long as the descriptor is open.
// name: "volumes", "images".
Fd lock_shared_part(const Layout& layout, const std::string& name);

}  // namespace still::store
