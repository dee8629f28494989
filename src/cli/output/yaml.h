// JSON as YAML, for `still info`: people read it, programs ask for --format json.
#pragma once

#include <string>

#include "cli/output/json.h"

namespace still::cli {

std::string to_yaml(const Json& value);

}  // namespace still::cli
