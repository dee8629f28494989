// Flags that Podman's users may type and Still does not have: they deserve a clearer answer than
// "unknown flag".
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace still::cli {

// The error for a flag ("-p", "--restart=always") that a command does not have. nearest: the flag
// that may be meant, or empty; see: where to look.
Error unknown_flag(std::string_view flag, const std::string& nearest, const std::string& see);

}  // namespace still::cli
