// Where what belongs to the still program is installed.
#pragma once

#include <filesystem>
#include <string>

namespace still::criu {

// A file beside the still program or in ../lib/still; empty if it is in neither.
std::filesystem::path find_installed(const std::string& name);

}  // namespace still::criu
