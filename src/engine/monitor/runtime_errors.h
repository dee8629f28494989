// What an OCI runtime wrote to standard error, as one of our errors.
#pragma once

#include <string_view>

#include "base/error.h"

namespace still::engine {

// kCommandMissing or kCannotExecute if the message says that of the command inside the container,
// else kRuntime. The error has one line.
Error runtime_error(std::string_view message);

}  // namespace still::engine
