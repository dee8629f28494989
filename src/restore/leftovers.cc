#include "restore/leftovers.h"

#include <fcntl.h>

#include <utility>

#include "base/text.h"
#include "journal/paths.h"
#include "journal/typed_step.h"
#include "os/files.h"
#include "os/inode_flags.h"

namespace still::restore {
namespace {

using journal::Interrupted;
using journal::Lasts;
using Words = std::optional<std::string>;

struct Made {
  static constexpr const char* kKind = "made by restore";
  static constexpr Lasts kLasts = Lasts::kForEver;
};

Words remove(const Interrupted& interrupted, const UndoByEngine& by_engine) {
  std::vector<std::string> done;
  for (const std::string& thing : by_engine.remove_made(interrupted.host, interrupted.entry.key)) {
    done.push_back("removed " + thing);
  }
  if (done.empty()) return std::nullopt;
  return join(done, ", ");
}

struct SetBack {
  static constexpr const char* kKind = "set back";
  static constexpr Lasts kLasts = Lasts::kForEver;
};

struct SetAside {
  static constexpr const char* kKind = "set aside";
  static constexpr Lasts kLasts = Lasts::kForEver;
  std::filesystem::path directory;
  uint32_t inode_flags = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(SetAside, directory, inode_flags)

Words undo_set_aside(const SetAside& set_aside, const Interrupted&) {
  const std::filesystem::path& directory = set_aside.directory;
  if (!put_back(directory, set_aside.inode_flags)) return std::nullopt;
  return "put " + printable(directory.native()) + " back";
}

struct OwnFiles {
  static constexpr const char* kKind = "own files";
  static constexpr Lasts kLasts = Lasts::kForEver;
  bool may_have_run = false;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(OwnFiles, may_have_run)

Words settle(const OwnFiles& own_files, const Interrupted& interrupted,
             const UndoByEngine& by_engine) {
  // A log of CRIU's from before a reboot may be lost.
  const bool log_knows = own_files.may_have_run && interrupted.of_this_boot;
  switch (by_engine.settle(interrupted.host, interrupted.container_id(),
                           log_knows ? std::nullopt : std::optional(own_files.may_have_run))) {
    case subject::InOwnFiles::kRuns:
      return "it is complete, and runs";
    case subject::InOwnFiles::kUsedUp:
      return "it had begun to run, and changed files: its checkpoint is used up";
    case subject::InOwnFiles::kAtCheckpoint:
      break;
  }
  return std::nullopt;
}

}  // namespace

journal::Step made_step() { return journal::make_step(Made{}); }

journal::Step set_back_step() { return journal::make_step(SetBack{}); }

journal::Step set_aside_step(const std::filesystem::path& directory) {
  const uint32_t flags = read_inode_flags(open_file(directory, O_RDONLY | O_DIRECTORY));
  return journal::make_step(SetAside{.directory = directory, .inode_flags = flags});
}

std::filesystem::path aside(const std::filesystem::path& directory) {
  return directory.native() + ".before-restore";
}

bool put_back(const std::filesystem::path& directory, uint32_t inode_flags) {
  const bool was_aside = path_exists(aside(directory));
  if (was_aside) {
    remove_tree(directory);
    std::filesystem::rename(aside(directory), directory);
  }
  if (inode_flags != 0 && path_exists(directory)) {
    write_inode_flags(open_file(directory, O_RDONLY | O_DIRECTORY), inode_flags);
  }
  return was_aside;
}

void set_own_files_step(journal::Entry& entry, bool may_have_run) {
  entry.remove(OwnFiles::kKind);
  entry.add(journal::make_step(OwnFiles{may_have_run}));
}

void has_succeeded(journal::Operation& operation) {
  operation.update([](journal::Entry& entry) {
    entry.operation = "clean-up after a " + entry.operation;
    for (journal::Step& step : entry.steps) {
      if (step.kind != SetAside::kKind) continue;
      step = journal::path_step(aside(journal::read_step<SetAside>(step).directory));
    }
    for (const char* kind : {Made::kKind, SetBack::kKind, OwnFiles::kKind}) entry.remove(kind);
  });
}

void register_undo(journal::Undoers& undoers, UndoByEngine by_engine) {
  journal::add_undo<Made>(undoers, [by_engine](const Made&, const Interrupted& interrupted) {
    return remove(interrupted, by_engine);
  });
  journal::add_undo<SetBack>(undoers,
                             [by_engine](const SetBack&, const Interrupted& interrupted) -> Words {
                               by_engine.end(interrupted.host, interrupted.container_id());
                               return std::nullopt;
                             });
  journal::add_undo<SetAside>(undoers, undo_set_aside);
  journal::add_undo<OwnFiles>(undoers,
                              [by_engine = std::move(by_engine)](const OwnFiles& own_files,
                                                                 const Interrupted& interrupted) {
                                return settle(own_files, interrupted, by_engine);
                              });
}

}  // namespace still::restore
