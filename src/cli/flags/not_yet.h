// Flags that the interface has promised and this version does not offer.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace still::cli {

// Using the flag ends the command with Error(kUnsupported): "FLAG is not supported yet".
void not_yet_flag(CLI::App& command, const std::string& names);
void not_yet_value(CLI::App& command, const std::string& names);

}  // namespace still::cli
