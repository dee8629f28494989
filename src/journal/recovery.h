// Undoing operations whose process, guardian and runtime have ended.
#pragma once

#include <string>

#include "journal/host.h"

namespace still::journal {

// Undoes all of them: thaws what they have frozen, removes what they have made, and says so, one
// line for each. One that cannot be undone is a warning, and stays in the journal.
void undo_interrupted_operations(const Host& host);

// Whether an operation on the container was interrupted and is not undone yet. Those whose process
// or guardian is alive hold the container's lock, or have let it go.
bool has_interrupted_operation(store::Store& store, const std::string& container_id);
// For a container whose lock is not held: waits until the runtime of such operations has ended,
// then does as above.
void undo_interrupted_operation(const Host& host, const std::string& container_id);

}  // namespace still::journal
