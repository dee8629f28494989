// What CRIU leaves behind, and how options reach it that the runtimes have no flag for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "criu/reasons.h"

namespace still::criu {

// Microseconds, as CRIU counts them (32 bits: they wrap after 71 minutes).
struct DumpStatistics {
  uint32_t freezing_time = 0;
  uint32_t frozen_time = 0;
  uint32_t memdump_time = 0;
  uint32_t memwrite_time = 0;
  uint64_t pages_scanned = 0;
  uint64_t pages_written = 0;
};
struct RestoreStatistics {
  uint32_t forking_time = 0;
  uint32_t restore_time = 0;
  uint64_t pages_restored = 0;
};

// From stats-dump and stats-restore. nullopt if there is no such file; throws Error(kCorrupt).
std::optional<DumpStatistics> read_dump_statistics(const std::filesystem::path& file);
std::optional<RestoreStatistics> read_restore_statistics(const std::filesystem::path& file);

// What a CRIU log says of a failure: the first error that is known (criu/reasons.h); otherwise, as
// words, the lines that explain it, first error first, at most three, joined with "; " and without
// CRIU's time stamps. Lines that only say that something failed are left out if there are others.
// No words if the log does not exist or has no error.
Reason explain_criu_log(const std::filesystem::path& log);

// Whether the tasks of the restore with this log may have run: "Unlock network" is the last line
// that CRIU writes before it sends them on to their rt_sigreturn (cr-restore.c, CR_STATE_COMPLETE;
// the runtimes have it log at level 4). It still holds them with ptrace there, which ends with
// CRIU: a CRIU that is killed lets them run without another line. False without a log.
bool has_let_run(const std::filesystem::path& restore_log);

// "4.1.1" of the criu in PATH. Throws Error(kNotFound) with a hint if there is none.
std::string criu_version();

// Text of a CRIU configuration file (criu(8), "CONFIGURATION FILES"), to be named by
// CRIU_CONFIG_FILE in the runtime's environment: one option per line; an empty value is a flag.
std::string criu_configuration(const std::map<std::string, std::string>& options);

}  // namespace still::criu
