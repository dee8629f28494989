// Processes and threads that have of their own what CRIU takes for shared.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace still::checkpoint {

struct Separate {
  pid_t task = 0;     // a process or a thread
  std::string words;  // "a uts namespace", "a table of descriptors"
};

// The first of the processes and their threads that has such a thing of its own; nullopt: none.
// CRIU 4.1.1 fails at namespaces of processes within those of the container's first one, which is
// the first of the list; mount namespaces it knows. Of a thread it restores all as its process has
// it, without a word: it never asks. Those that end meanwhile are left out. Throws Error(kSystem).
std::optional<Separate> find_separate(const std::vector<pid_t>& processes);

}  // namespace still::checkpoint
