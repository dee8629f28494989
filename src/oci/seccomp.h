// The seccomp filter of containers, as the runtime spec's linux.seccomp object.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace still::oci {

// The profile that containers-common installs (an administrator's in /etc first), made concrete for
// these capabilities and this machine. Without such a file: a short list of system calls that are
// refused because they reach beyond the container.
nlohmann::json default_seccomp(const std::vector<std::string>& capabilities);

// System calls that reach beyond the container whatever its capabilities, or have been a way out.
std::span<const char* const> reaching_system_calls();

// Translates a profile as containers-common, Podman and Docker write them: of the rules that depend
// on capabilities ("includes", "excludes") or architectures, those that hold. machine: as uname(2)
// names it. Throws Error(kCorrupt) for text that is no such profile.
nlohmann::json translate_seccomp(std::string_view profile,
                                 const std::vector<std::string>& capabilities,
                                 const std::string& machine);

}  // namespace still::oci
