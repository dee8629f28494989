// Memory of processes that CRIU cannot dump, and room in them for what CRIU needs there.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace still::checkpoint {

struct Unfit {
  pid_t process = 0;
  std::string words;  // what follows "process 7 (sh) ": "has guard pages (...)"
};

// The first of the processes that has memory which CRIU 4.1.1 cannot read or know (guard pages of
// MADV_GUARD_INSTALL, memfd_secret(2)), or so many mappings, descriptors or so much memory that its
// limits leave no room for CRIU's code; nullopt: none. They run meanwhile; those that end are left
// out. Takes its time with much memory. Throws Error(kSystem).
std::optional<Unfit> find_unfit(const std::vector<pid_t>& processes);

// Whether the program of the process is mapped from another mount than it is on. Of an overlay that
// has an overlay as a layer the kernel maps files of that layer, on a mount that is in no list, and
// CRIU 4.1.1 cannot name them. false if the process has ended.
bool is_on_nested_overlay(pid_t process);

// --- plain computation
// ---------------------------------------------------------------------------

// The soft limit of that name in the text of /proc/PID/limits ("Max open files"); UINT64_MAX:
// unlimited, or not there.
uint64_t soft_limit(std::string_view limits, std::string_view name);

}  // namespace still::checkpoint
