// The library that makes CRIU fit for us (src/criu_preload/): it understands the answers of newer
// kernels, and does nothing in the freeze window that can be done before it, or not at all.
#pragma once

#include <string>

#include "os/process.h"

namespace still::oci {

// Names the file that src/criu_preload/clean_memory.cc puts in the place of CRIU's own knowledge of
// the kernel; set, it makes CRIU take all memory for unchanged.
inline constexpr const char* kCleanMemoryVariable = "STILL_CRIU_CLEAN_MEMORY";
// That file: where CRIU keeps its own, on a file system in memory, without which it would ask the
// kernel everything anew each time.
inline constexpr const char* kCleanKnowledge = "/run/criu-still.kdat";

// Names the socket of a CriuGate; set, CRIU waits there.
inline constexpr const char* kGateVariable = "STILL_CRIU_GATE";
// Set, CRIU takes the kernel's connection tracking for empty.
inline constexpr const char* kNoConntrackVariable = "STILL_CRIU_NO_CONNTRACK";

// The value of LD_PRELOAD for a program that calls CRIU for a dump: our library, then what the
// variable holds already. Empty where the library is not installed: CRIU then works as the kernel
// lets it.
std::string criu_preload();
// Has a command that calls CRIU load it, if it is installed.
void load_criu_preload(Command& command);

}  // namespace still::oci
