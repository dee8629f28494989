// What CRIU's log says about a failure, and where the log stays.
#pragma once

#include <filesystem>

#include "base/error.h"

namespace still::criu {

// Copies CRIU's log and statistics from a work directory into `kept`, a directory in the
// container's own that outlives the operation. Returns the path of the log there.
std::filesystem::path keep_criu_files(const std::filesystem::path& work,
                                      const std::filesystem::path& kept);

// A failure of the runtime together with the lines of CRIU's log that explain it; the log is kept
// in `kept`, and the hint says where. Other errors come back as they are.
Error explain_failure(const Error& error, const std::filesystem::path& log,
                      const std::filesystem::path& kept);
// The same for a dump whose images were to be without memory (memory::Skeleton). It is
// Error(kAnotherWay) where that may be the cause: CRIU says so, or nothing. What else CRIU
// complains of it would complain of in any dump.
Error explain_failure_without_memory(const Error& error, const std::filesystem::path& log,
                                     const std::filesystem::path& kept);

}  // namespace still::criu
