#include "restore/leftovers.h"

#include "base/text.h"
#include "engine/container/container.h"
#include "engine/container/volumes.h"
#include "journal/paths.h"
#include "journal/typed_step.h"
#include "os/files.h"

namespace still::restore {
namespace {

using engine::Container;
using journal::Interrupted;
using journal::Lasts;
using Words = std::optional<std::string>;

struct Made {
  static constexpr const char* kKind = "made by restore";
  static constexpr Lasts kLasts = Lasts::kForEver;
};

Words remove(const Made&, const Interrupted& interrupted) {
  const journal::Host& host = interrupted.host;
  std::vector<std::string> done;
  for (const store::ContainerRecord& container : host.store.containers()) {
    if (container.made_by != interrupted.entry.key) continue;
    Container::end_interrupted_restore(host, container.id, Container::Afterwards::kGone);
    done.push_back("removed the container " + container.name);
  }
  for (const store::VolumeRecord& volume : host.store.volumes()) {
    if (volume.made_by != interrupted.entry.key) continue;
    engine::Volumes(host).remove(volume.name, true);
    done.push_back("removed the volume " + volume.name);
  }
  if (done.empty()) return std::nullopt;
  return join(done, ", ");
}

struct SetBack {
  static constexpr const char* kKind = "set back";
  static constexpr Lasts kLasts = Lasts::kForEver;
};

Words end(const SetBack&, const Interrupted& interrupted) {
  Container::end_interrupted_restore(interrupted.host, interrupted.container_id(),
                                     Container::Afterwards::kExited);
  return std::nullopt;
}

struct SetAside {
  static constexpr const char* kKind = "set aside";
  static constexpr Lasts kLasts = Lasts::kForEver;
  std::filesystem::path directory;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(SetAside, directory)

Words put_back(const SetAside& set_aside, const Interrupted&) {
  const std::filesystem::path& directory = set_aside.directory;
  if (!path_exists(aside(directory))) return std::nullopt;
  remove_tree(directory);
  std::filesystem::rename(aside(directory), directory);
  return "put " + printable(directory.native()) + " back";
}

struct OwnFiles {
  static constexpr const char* kKind = "own files";
  static constexpr Lasts kLasts = Lasts::kForEver;
  bool may_have_run = false;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(OwnFiles, may_have_run)

Words settle(const OwnFiles& own_files, const Interrupted& interrupted) {
  // A log of CRIU's from before a reboot may be lost.
  const bool log_knows = own_files.may_have_run && interrupted.of_this_boot;
  switch (Container::settle_interrupted_restore(
      interrupted.host, interrupted.container_id(),
      log_knows ? std::nullopt : std::optional(own_files.may_have_run))) {
    case Container::InOwnFiles::kRuns:
      return "it is complete, and runs";
    case Container::InOwnFiles::kUsedUp:
      return "it had begun to run, and changed files: its checkpoint is used up";
    case Container::InOwnFiles::kAtCheckpoint:
      break;
  }
  return std::nullopt;
}

}  // namespace

journal::Step made_step() { return journal::make_step(Made{}); }

journal::Step set_back_step() { return journal::make_step(SetBack{}); }

journal::Step set_aside_step(const std::filesystem::path& directory) {
  return journal::make_step(SetAside{directory});
}

std::filesystem::path aside(const std::filesystem::path& directory) {
  return directory.native() + ".before-restore";
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

void register_undo(journal::Undoers& undoers) {
  journal::add_undo<Made>(undoers, remove);
  journal::add_undo<SetBack>(undoers, end);
  journal::add_undo<SetAside>(undoers, put_back);
  journal::add_undo<OwnFiles>(undoers, settle);
}

}  // namespace still::restore
