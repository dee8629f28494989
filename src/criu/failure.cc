#include "criu/failure.h"

#include <array>
#include <string>

#include "criu/criu.h"
#include "os/files.h"

namespace still::criu {
namespace {

constexpr std::array kKeptFiles = {"dump.log", "restore.log", "stats-dump", "stats-restore"};

}  // namespace

std::filesystem::path keep_criu_files(const std::filesystem::path& work,
                                      const std::filesystem::path& kept) {
  make_directories(kept, 0700);
  std::filesystem::path log;
  for (const char* name : kKeptFiles) {
    const auto content = read_file_if_exists(work / name);
    if (!content) continue;
    write_file_atomically(kept / name, *content, 0600);
    if (std::filesystem::path(name).extension() == ".log") log = kept / name;
  }
  return log;
}

Error explain_failure(const Error& error, const std::filesystem::path& log,
                      const std::filesystem::path& kept) {
  const bool of_runtime =
      error.kind() == ErrorKind::kRuntime || error.kind() == ErrorKind::kTimeout;
  if (!of_runtime || !path_exists(log)) return error;
  const std::string lines = explain_criu_log(log);
  const std::string where = "CRIU's log is " + keep_criu_files(log.parent_path(), kept).native();
  if (lines.contains("Can't get rlimit")) {
    return Error(ErrorKind::kUnsupported,
                 "CRIU may not read the resource limits of another user's process",
                 "run Still with CAP_SYS_RESOURCE; " + where);
  }
  // What the runtime says then is only that CRIU failed, and a log that is about to vanish.
  if (error.kind() == ErrorKind::kRuntime && !lines.empty()) {
    return Error(error.kind(), "CRIU failed: " + lines, where);
  }
  return error.with_hint(error.hint() + (error.hint().empty() ? "" : "; ") + where);
}

}  // namespace still::criu
