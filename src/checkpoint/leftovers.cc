#include "checkpoint/leftovers.h"

#include <utility>

#include "base/error.h"
#include "cgroup/container_cgroup.h"
#include "journal/typed_step.h"
#include "os/files.h"

namespace still::checkpoint {
namespace {

struct DefaultCheckpoint {
  static constexpr const char* kKind = "default checkpoint";
  static constexpr journal::Lasts kLasts = journal::Lasts::kUntilReboot;
  std::filesystem::path images;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(DefaultCheckpoint, images)

struct TrialCgroup {
  static constexpr const char* kKind = "trial";
  static constexpr journal::Lasts kLasts = journal::Lasts::kUntilReboot;
  std::string path;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(TrialCgroup, path)

std::optional<std::string> end_trial(const TrialCgroup& trial, const journal::Interrupted&) {
  cgroup::kill_cgroups(trial.path);
  cgroup::remove_cgroups(trial.path);
  return std::nullopt;
}

struct Room {
  static constexpr const char* kKind = "room";
  static constexpr journal::Lasts kLasts = journal::Lasts::kUntilReboot;
  std::filesystem::path path;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Room, path)

std::optional<std::string> remove_room(const Room& room, const journal::Interrupted&) {
  remove_tree(room.path);
  return std::nullopt;
}

std::optional<std::string> keep(const DefaultCheckpoint& checkpoint,
                                const journal::Interrupted& interrupted,
                                const KeepInterrupted& keep_interrupted) try {
  if (!keep_interrupted(interrupted.host, interrupted.container_id(), checkpoint.images)) {
    return std::nullopt;
  }
  return "its checkpoint is complete and kept";
} catch (const Error& error) {
  if (error.kind() != ErrorKind::kNotFound) throw;
  return std::nullopt;  // removed meanwhile
}

}  // namespace

journal::Step stopping_step(const std::filesystem::path& images) {
  return journal::make_step(DefaultCheckpoint{images});
}

journal::Step trial_step(const std::string& cgroup) {
  return journal::make_step(TrialCgroup{cgroup});
}

journal::Step room_step(const std::filesystem::path& room) {
  return journal::make_step(Room{room});
}

void register_undo(journal::Undoers& undoers, KeepInterrupted keep_interrupted) {
  journal::add_undo<TrialCgroup>(undoers, end_trial);
  journal::add_undo<Room>(undoers, remove_room);
  journal::add_undo<DefaultCheckpoint>(
      undoers, [keep_interrupted = std::move(keep_interrupted)](
                   const DefaultCheckpoint& checkpoint, const journal::Interrupted& interrupted) {
        return keep(checkpoint, interrupted, keep_interrupted);
      });
}

}  // namespace still::checkpoint
