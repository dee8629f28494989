// Flags that Podman's users may type and Still does not have: they deserve a clearer answer than
// "unknown flag".
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace still::cli {

// The error for a flag ("-p", "--restart=always") that the command ("still run") does not have.
Error unknown_flag(std::string_view flag, std::string_view command);

}  // namespace still::cli
