// What CRIU is told beyond the flags of a runtime.
#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace still::criu {

// Writes the options to two files (mode 0600): the one that the variable CRIU_CONFIG_FILE names,
// and `overrides`, which the bundle's spec names and which overrides what the runtime asks for; an
// empty path: there is none. Throws Error(kSystem).
void write_configuration(const std::filesystem::path& file, const std::filesystem::path& overrides,
                         const std::map<std::string, std::string>& options);

}  // namespace still::criu
