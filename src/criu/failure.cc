#include "criu/failure.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/format.h"
#include "base/text.h"
#include "criu/criu.h"
#include "criu/preloading.h"
#include "os/files.h"
#include "os/process_status.h"

namespace still::criu {
namespace {

constexpr std::array kKeptFiles = {"dump.log", "restore.log", "stats-dump", "stats-restore"};

// Where CRIU's parts are that have to do with memory, and so with how its images come to be without
// (cr-dump.c calls all of them, and cannot tell).
bool is_about_memory(std::string_view lines) {
  constexpr std::array kParts = {"criu/mem.c",    "criu/page-xfer.c", "criu/page-pipe.c",
                                 "criu/pagemap",  "criu/shmem.c",     "criu/uffd.c",
                                 "criu/kerndat.c"};
  return std::ranges::any_of(kParts, [&](const char* part) { return lines.contains(part); });
}

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

namespace {

// By the library in CRIU; nullopt: there is none.
std::optional<Error> dispatching_thread(const std::filesystem::path& work) {
  const auto number = read_file_if_exists(work / kDispatchingFile);
  if (!number) return std::nullopt;
  const std::string thread(trim(*number));
  const auto name =
      process_status_field(static_cast<pid_t>(parse_integer(thread).value_or(0)), "Name");
  return Error(
      ErrorKind::kUnsupported,
      formatted("task {} ({}) has its system calls sent to itself as signals (syscall user "
                "dispatch, as Wine has it); it would not survive those that CRIU has it make",
                printable(thread), printable(name.value_or("?"))),
      "end that program first");
}

}  // namespace

Error explain_failure(const Error& error, const std::filesystem::path& log,
                      const std::filesystem::path& kept) {
  const bool of_runtime =
      error.kind() == ErrorKind::kRuntime || error.kind() == ErrorKind::kTimeout;
  if (!of_runtime || !path_exists(log)) return error;
  if (auto known = dispatching_thread(log.parent_path())) return *known;
  const auto [words, hint, lines] = explain_criu_log(log);
  const std::string where = "CRIU's log is " + keep_criu_files(log.parent_path(), kept).native();
  if (lines.contains("Can't get rlimit")) {
    return Error(ErrorKind::kUnsupported,
                 "CRIU may not read the resource limits of another user's process",
                 "run Still with CAP_SYS_RESOURCE; " + where);
  }
  // What the runtime says then is only that CRIU failed, and a log that is about to vanish.
  if (error.kind() == ErrorKind::kRuntime && !words.empty()) {
    return Error(error.kind(), "CRIU failed: " + words, hint.empty() ? where : hint + "; " + where);
  }
  return error.with_hint(error.hint() + (error.hint().empty() ? "" : "; ") + where);
}

Error explain_failure_without_memory(const Error& error, const std::filesystem::path& log,
                                     const std::filesystem::path& kept) {
  const Error explained = explain_failure(error, log, kept);
  if (explained.kind() != ErrorKind::kRuntime) return explained;
  const std::string lines = explain_criu_log(log).lines;
  if (!lines.empty() && !is_about_memory(lines)) return explained;
  return {ErrorKind::kAnotherWay, explained.message(), explained.hint()};
}

}  // namespace still::criu
