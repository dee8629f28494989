// What only the engine of a container can undo when an operation on it was interrupted.
#pragma once

#include <string>
#include <vector>

#include "journal/host.h"

namespace still::sources {

// Containers and volumes of the store that say that they were made by the operation of this key.
// Returns what each was: "the container web".
std::vector<std::string> remove_made_by(const journal::Host& host, const std::string& operation);

// Whatever may run of a container after its restore was interrupted; it has exited then. One that
// has gone already is no error.
void end_restored(const journal::Host& host, const std::string& container_id);

}  // namespace still::sources
