// The seccomp filter that a runtime gave a container, as the images of its processes have it.
#pragma once

#include <filesystem>
#include <string>

namespace still::criu {

// The program (struct sock_filter, one after the other) of the first filter that the container's
// first process got; what it set itself came later. Empty: it has none. Throws Error(kCorrupt),
// Error(kSystem).
std::string runtime_filter(const std::filesystem::path& images);

}  // namespace still::criu
