#include "checkpoint/leftovers.h"

#include <utility>

#include "base/error.h"
#include "journal/typed_step.h"

namespace still::checkpoint {
namespace {

struct DefaultCheckpoint {
  static constexpr const char* kKind = "default checkpoint";
  static constexpr journal::Lasts kLasts = journal::Lasts::kUntilReboot;
  std::filesystem::path images;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(DefaultCheckpoint, images)

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

void register_undo(journal::Undoers& undoers, KeepInterrupted keep_interrupted) {
  journal::add_undo<DefaultCheckpoint>(
      undoers, [keep_interrupted = std::move(keep_interrupted)](
                   const DefaultCheckpoint& checkpoint, const journal::Interrupted& interrupted) {
        return keep(checkpoint, interrupted, keep_interrupted);
      });
}

}  // namespace still::checkpoint
