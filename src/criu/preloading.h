// The library that makes CRIU fit for us (src/criu/preload/): it understands the answers of newer
// kernels, and does nothing in the freeze window that can be done before it, or not at all.
#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace still::criu {

// Names the file that src/criu/preload/clean_memory.cc puts in the place of CRIU's own knowledge of
// the kernel; set, it makes CRIU take all memory for unchanged.
inline constexpr const char* kCleanMemoryVariable = "STILL_CRIU_CLEAN_MEMORY";
// That file: where CRIU keeps its own, on a file system in memory, without which it would ask the
// kernel everything anew each time.
inline constexpr const char* kCleanKnowledge = "/run/criu-still.kdat";

// Set, CRIU finds no page of private memory (preload/no_pages.cc).
inline constexpr const char* kNoPagesVariable = "STILL_CRIU_NO_PAGES";

// Names the socket of a CriuGate; set, CRIU waits there.
inline constexpr const char* kGateVariable = "STILL_CRIU_GATE";
// Set, CRIU takes the kernel's connection tracking for empty.
inline constexpr const char* kNoConntrackVariable = "STILL_CRIU_NO_CONNTRACK";

// The root directory of the container, where the library looks for other names of files
// (preload/other_names.cc), and the writable layer of its overlay.
inline constexpr const char* kRootVariable = "STILL_CRIU_ROOT";
inline constexpr const char* kLayerVariable = "STILL_CRIU_LAYER";

// Names the list of files without a name that are copied by others (preload/deleted_files.cc).
inline constexpr const char* kDeletedVariable = "STILL_CRIU_DELETED";
// Its name, beside CRIU's log, and that of the list of those that CRIU would have copied.
inline constexpr const char* kDeletedFile = "deleted-files";
inline constexpr const char* kDeletedAskedFile = "deleted-files.asked";

// Names the list of shared memory that is copied by others (preload/shared_memory.cc).
inline constexpr const char* kSharedMemoryVariable = "STILL_CRIU_SHARED_MEMORY";
// Its name, beside CRIU's log.
inline constexpr const char* kSharedMemoryFile = "shared-memory";

// Names the file in which the library tells of a thread that cannot be had make system calls
// (preload/dispatch.cc), by its number.
inline constexpr const char* kDispatchingVariable = "STILL_CRIU_DISPATCHING";
// Its name, beside CRIU's log.
inline constexpr const char* kDispatchingFile = "dispatching-thread";

// The value of LD_PRELOAD for a program that calls CRIU for a dump: our library, then what the
// variable holds already. Empty where the library is not installed: CRIU then works as the kernel
// lets it.
std::string criu_preload();

struct PreloadSettings {
  // CRIU is to find that no page has changed since its parent images (preload/clean_memory.cc).
  bool clean_memory = false;
  // CRIU is to find no page of private memory: others bring all of it into the images, and the
  // shared memory that is in kSharedMemoryFile.
  bool no_pages = false;
  // No connection is saved (preload/conntrack.cc).
  bool no_conntrack = false;
  // The socket of the CriuGate at which CRIU waits before it touches the container; empty: nowhere.
  std::filesystem::path gate{};
  // CRIU's work directory, for kDispatchingFile.
  std::filesystem::path work;
  // Big files without a name are copied by others, who put kDeletedFile there.
  bool no_deleted_files = false;
  // The container's root directory as it sees it ("/proc/PID/root"), and the writable layer of its
  // root file system; empty: it has none that is known.
  std::filesystem::path root{};
  std::filesystem::path layer{};
};
// The variables by which a command that calls CRIU loads it, if it is installed, and tells it that.
std::map<std::string, std::string> preload_environment(const PreloadSettings& settings);

}  // namespace still::criu
