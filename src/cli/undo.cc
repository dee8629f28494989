#include "cli/undo.h"

#include "checkpoint/leftovers.h"
#include "cut/leftovers.h"
#include "engine/container/container.h"
#include "journal/paths.h"
#include "restore/leftovers.h"
#include "sources/still/interrupted.h"

namespace still::cli {

void register_undo(journal::Undoers& undoers) {
  journal::register_undo(undoers);
  cut::register_undo(undoers);
  checkpoint::register_undo(undoers, engine::Container::keep_interrupted_checkpoint);
  restore::register_undo(undoers, {.remove_made = sources::remove_made_by,
                                   .end = sources::end_restored,
                                   .settle = engine::Container::settle_interrupted_restore});
}

}  // namespace still::cli
