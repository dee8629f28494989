// Files and directories of the host that are mounted in a container, and what became of them.
#pragma once

#include "subject/subject.h"

namespace still::checkpoint {

// A restore mounts what has the name then. Throws Error(kConflict) naming a source that was
// removed or replaced since it was mounted, if the container is not left running and would have
// something else after its restore; if it is, then only for a file that a process has open, which
// CRIU cannot restore at all.
void refuse_changed_sources(const subject::Subject& subject, bool leave_running);

}  // namespace still::checkpoint
