// Signals by name, as people write them.
#pragma once

#include <string_view>

namespace still::engine {

// "TERM", "SIGTERM", "sigterm", "15", "RTMIN+3". Throws Error(kUsage) for anything else.
int parse_signal(std::string_view text);

}  // namespace still::engine
