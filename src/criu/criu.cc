#include "criu/criu.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "base/text.h"
#include "criu/image.h"
#include "criu/images.pb.h"
#include "os/files.h"
#include "os/process.h"

namespace still::criu {
namespace {

constexpr size_t kExplainedLines = 3;

// Complaints that CRIU survives and that would hide the cause: it tries to raise its own limits,
// which takes CAP_SYS_RESOURCE; it finds images without content; it asks sockets for options that
// only other kinds of sockets have; it removes rules from a firewall that has none (a tool that it
// needs and that fails is followed by an error of its own).
constexpr std::array kHarmless = {"rlimit: Can't setup RLIMIT_NOFILE", "(empty-image)",
                                  "sockets: Can't get", "): exited, status="};

// What only says that something failed of which another line has the reason.
constexpr std::array kConsequences = {") failed with -1", "Dumping FAILED", "Restoring FAILED"};

std::optional<messages::Stats> read_statistics(const std::filesystem::path& file) {
  const auto content = read_file_if_exists(file);
  if (!content) return std::nullopt;
  return parse_image<messages::Stats>(*content, kStatisticsImage, file);
}

[[noreturn]] void fail_incomplete(const std::filesystem::path& file) {
  throw Error(ErrorKind::kCorrupt,
              printable(file.native()) + " has statistics of another kind than expected");
}

bool contains_any(std::string_view text, const auto& parts) {
  return std::ranges::any_of(parts, [&](const char* part) { return text.contains(part); });
}

// "Error (criu/mount.c:12): mnt: ..." of "(00.012345)     12: Error (criu/mount.c:12): mnt: ...".
std::optional<std::string> error_in(std::string_view line) {
  const size_t start = line.find("Error (");
  // Only the time stamp and a pid come before it: a quotation further in is no error.
  if (start == std::string_view::npos ||
      line.substr(0, start).find_first_not_of("0123456789.(): ") != std::string_view::npos) {
    return std::nullopt;
  }
  return printable(trim(line.substr(start)));
}

}  // namespace

std::optional<DumpStatistics> read_dump_statistics(const std::filesystem::path& file) {
  const auto statistics = read_statistics(file);
  if (!statistics) return std::nullopt;
  if (!statistics->has_dump()) fail_incomplete(file);
  const messages::DumpStats& dump = statistics->dump();
  return DumpStatistics{.freezing_time = dump.freezing_time(),
                        .frozen_time = dump.frozen_time(),
                        .memdump_time = dump.memdump_time(),
                        .memwrite_time = dump.memwrite_time(),
                        .pages_scanned = dump.pages_scanned(),
                        .pages_written = dump.pages_written()};
}

std::optional<RestoreStatistics> read_restore_statistics(const std::filesystem::path& file) {
  const auto statistics = read_statistics(file);
  if (!statistics) return std::nullopt;
  if (!statistics->has_restore()) fail_incomplete(file);
  const messages::RestoreStats& restore = statistics->restore();
  return RestoreStatistics{.forking_time = restore.forking_time(),
                           .restore_time = restore.restore_time(),
                           .pages_restored = restore.pages_restored()};
}

Reason explain_criu_log(const std::filesystem::path& log) {
  std::vector<std::string> causes, consequences;
  for (const std::string& line : split(read_file_if_exists(log).value_or(""), '\n')) {
    auto error = error_in(line);
    if (!error) continue;
    if (auto reason = reason_of(*error); reason.is_known()) return reason;
    if (contains_any(*error, kHarmless)) continue;
    auto& errors = contains_any(*error, kConsequences) ? consequences : causes;
    if (errors.size() < kExplainedLines) errors.push_back(std::move(*error));
  }
  const std::string lines = join(causes.empty() ? consequences : causes, "; ");
  return {.words = lines, .hint = {}, .lines = lines};
}

bool has_let_run(const std::filesystem::path& restore_log) {
  return read_file_if_exists(restore_log).value_or("").contains("Unlock network");
}

std::string criu_version() {
  if (!find_program("criu")) {
    throw Error(ErrorKind::kNotFound, "there is no criu in PATH",
                "install criu, version 4.1.1 or newer");
  }
  const std::string output = run_checked({.arguments = {"criu", "--version"}});
  constexpr std::string_view kKey = "Version: ";
  for (const std::string& line : split(output, '\n')) {
    if (line.starts_with(kKey)) return std::string(trim(line.substr(kKey.size())));
  }
  throw Error(ErrorKind::kRuntime, "the answer to \"criu --version\" is not understood");
}

std::string criu_configuration(const std::map<std::string, std::string>& options) {
  std::string text;
  for (const auto& [name, value] : options) {
    if (value.find_first_of(" \t\n\"'#\\") != std::string::npos) {
      throw Error(ErrorKind::kUnsupported,
                  "the value \"" + printable(value) + "\" cannot be passed to CRIU as " + name);
    }
    // With "=", because an option whose value is optional ignores the next word.
    text += name + (value.empty() ? "" : "=" + value) + "\n";
  }
  return text;
}

}  // namespace still::criu
