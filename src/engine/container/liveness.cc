#include "engine/container/liveness.h"

#include <sys/stat.h>

#include <algorithm>
#include <string>
#include <thread>

#include "base/text.h"
#include "engine/container/container.h"
#include "engine/monitor/monitor.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/process.h"
#include "subject/processes.h"

namespace still::engine {
namespace {

using store::ContainerRecord;
using store::ContainerStatus;

constexpr auto kExitFileTimeout = std::chrono::seconds(5);
constexpr auto kPollInterval = std::chrono::milliseconds(2);

std::optional<ExitRecord> read_exit(const store::Layout& layout, const ContainerRecord& record) {
  const auto code = read_exit_code(layout, record.id);
  struct stat status{};
  if (!code || ::stat((layout.exits() / record.id).c_str(), &status) != 0) return std::nullopt;
  // A file's time is that of the last clock tick.
  return ExitRecord{.code = *code,
                    .at = std::max(nanoseconds_of(status.st_mtim), record.started_at)};
}

std::optional<pid_t> living_monitor(const store::Layout& layout, const std::string& id) {
  const auto text = read_file_if_exists(layout.run(id) / "conmon.pid");
  const auto pid = text ? parse_integer(trim(*text)) : std::nullopt;
  // Another process may have the number by now; ours has the id among its arguments.
  const bool is_ours = pid && subject::arguments_of(static_cast<pid_t>(*pid)).contains(id);
  return is_ours ? std::optional(static_cast<pid_t>(*pid)) : std::nullopt;
}

bool waits_for_clean_up(pid_t monitor, const std::string& id) {
  using namespace std::string_literals;
  const std::string end = "container\0cleanup\0"s + id + "\0"s;  // the end of its exit command
  return subject::has_descendant(
      monitor, [&](const std::string& arguments) { return arguments.ends_with(end); });
}

}  // namespace

bool is_running(const ContainerRecord& record) {
  return record.status == ContainerStatus::kRunning || record.status == ContainerStatus::kPaused;
}

bool init_is_alive(const ContainerRecord& record) {
  return record.pid > 0 && record.boot_id == boot_id() &&
         process_start_time(record.pid) == record.pid_start_time;
}

std::vector<pid_t> find_monitors(const store::Layout& layout, const std::string& id) {
  using namespace std::string_literals;
  // Another store can have a container of that id. conmon was told of this one's directory.
  const std::string bundle = "\0"s + layout.container(id).native() + "/";
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto pid = parse_integer(entry.path().filename().native());
    if (!pid) continue;
    const auto command = read_file_if_exists(entry.path() / "comm");
    const auto process = static_cast<pid_t>(*pid);
    if (command && trim(*command) == "conmon" && subject::arguments_of(process).contains(bundle) &&
        !waits_for_clean_up(process, id)) {
      found.push_back(process);
    }
  }
  return found;
}

ExitRecord wait_for_exit_record(const store::Layout& layout, const ContainerRecord& record) {
  const Deadline deadline = deadline_in(kExitFileTimeout);
  for (;;) {
    // Asked first: what conmon wrote before it ended, or called "still container cleanup", which
    // may wait for us, is then there. Of a container that could not be restored it writes nothing.
    const auto monitor = living_monitor(layout, record.id);
    const bool can_come = monitor && !waits_for_clean_up(*monitor, record.id);
    if (const auto ended = read_exit(layout, record)) return *ended;
    if (!can_come || std::chrono::steady_clock::now() >= deadline) {
      return {.code = kUnknownExitCode, .at = Instant::now().wall};
    }
    std::this_thread::sleep_for(kPollInterval);
  }
}

ContainerRecord current(const store::Layout& layout, ContainerRecord record) {
  if (!is_running(record)) return record;
  if (!init_is_alive(record)) {
    const auto ended = read_exit(layout, record);
    record.status = ContainerStatus::kExited;
    record.pid = 0;
    record.exit_code = ended ? ended->code : kUnknownExitCode;
    record.finished_at = ended ? ended->at : Instant::now().wall;
  }
  return record;
}

}  // namespace still::engine
