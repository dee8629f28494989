// JSON whose keys keep the order they were written in: people read `inspect` from the top.
#pragma once

#include <nlohmann/json.hpp>

namespace still::cli {

using Json = nlohmann::ordered_json;

}  // namespace still::cli
