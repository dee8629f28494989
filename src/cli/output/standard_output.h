// What may be large and is not text of ours, to standard output.
#pragma once

#include <functional>
#include <string_view>

#include "os/fd.h"

namespace still::cli {

// Writes a file from where it stands to its end. check: called for each piece before it is written.
// Throws Error(kSystem): for a pipe whose reader has gone, too (SIGPIPE is ignored from then on).
void copy_to_standard_output(const Fd& file,
                             const std::function<void(std::string_view)>& check = {});

}  // namespace still::cli
