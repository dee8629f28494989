// What a restore whose process is killed would leave, as steps of its entry in the journal.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "journal/host.h"
#include "journal/operation.h"
#include "journal/undoers.h"
#include "subject/destination.h"

namespace still::restore {

// The name of the operation.
inline constexpr const char* kOperation = "restore";

// The container and the volumes that say that this operation has made them (made_by): all that is
// made by a restore from an archive.
journal::Step made_step();

// A container that was there before and is set back: what runs of it is ended. Directories that
// are emptied for that: what they held, aside(), comes back.
journal::Step set_back_step();
// The step knows the flags of the directory's inode, which have to be taken off for that.
journal::Step set_aside_step(const std::filesystem::path& directory);
std::filesystem::path aside(const std::filesystem::path& directory);
// What is at aside() takes the directory's place again, with these flags (os/inode_flags.h). If
// there is nothing, the directory has never left it, and false is returned.
bool put_back(const std::filesystem::path& directory, uint32_t inode_flags);

// A container that goes on with its own files, not copies. may_have_run: the restore came to where
// CRIU may let the tasks run, and write to them. An entry has one such step at most.
void set_own_files_step(journal::Entry& entry, bool may_have_run);

// From here on only what is left of paths, and of directories set aside, is to be removed.
void has_succeeded(journal::Operation& operation);

// What only the engine of the containers can undo. A container that has gone already is no error.
struct UndoByEngine {
  // Removes containers and volumes that were made for the operation of this key; names each: "the
  // container web".
  std::function<std::vector<std::string>(const journal::Host& host, const std::string& operation)>
      remove_made;
  // Ends what may run of a container that is set back; it has exited then.
  std::function<void(const journal::Host& host, const std::string& container_id)> end;
  // Waits until what becomes of a container with its own files is certain, and records it. has_run:
  // whether its tasks have; nullopt: CRIU's log knows.
  std::function<subject::InOwnFiles(const journal::Host& host, const std::string& container_id,
                                    std::optional<bool> has_run)>
      settle;
};
void register_undo(journal::Undoers& undoers, UndoByEngine by_engine);

}  // namespace still::restore
