// The names that a checkpoint archive may have members under.
#pragma once

#include <string_view>

#include "archive/tar_stream.h"

namespace still::archive {

// Throws Error(kCorrupt) if an archive of this format has no such member: an unknown or malformed
// name, a kind of entry that does not go with the name, or JSON of more than 64 MiB.
void check_member(const TarMember& member);

}  // namespace still::archive
