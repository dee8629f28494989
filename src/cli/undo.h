// How all that an interrupted operation leaves is undone.
#pragma once

#include "journal/undoers.h"

namespace still::cli {

// Of every room, with what the engines have to do with it.
void register_undo(journal::Undoers& undoers);

}  // namespace still::cli
