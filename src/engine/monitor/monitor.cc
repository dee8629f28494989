#include "engine/monitor/monitor.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <format>
#include <nlohmann/json.hpp>
#include <string_view>
#include <thread>

#include "base/error.h"
#include "base/text.h"
#include "engine/container/liveness.h"
#include "engine/container/paths.h"
#include "engine/monitor/runtime_errors.h"
#include "os/clock.h"
#include "os/content.h"
#include "os/files.h"
#include "os/process.h"
#include "subject/processes.h"

namespace still::engine {
namespace {

using Arguments = std::vector<std::string>;

// conmon writes one line of JSON to this descriptor: {"data": PID} or {"data": -1, "message": ...}.
constexpr int kSyncDescriptor = 3;
// The other end, for nothing but that there is one: conmon ends, and leaves the container alone,
// when it cannot write because we were killed.
constexpr int kSyncOtherEnd = 4;

constexpr std::chrono::milliseconds kAskInterval{200};
// How long conmon may take to answer when the runtime that it has started is gone.
constexpr std::chrono::seconds kAnswerTimeout{3};
// A runtime of a dead process that works for longer has hung.
constexpr std::chrono::seconds kOrphanTimeout{30};

void append(Arguments& arguments, const Arguments& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
}

void append_each(Arguments& arguments, const std::string& flag, const Arguments& values) {
  for (const std::string& value : values) {
    arguments.push_back(flag);
    arguments.push_back(value);
  }
}

// conmon calls it when the container has ended.
Arguments exit_command(const store::Layout& layout, const std::string& id) {
  return {std::filesystem::read_symlink("/proc/self/exe"),
          "--root",
          layout.root,
          "--runroot",
          layout.runroot,
          "container",
          "cleanup",
          id};
}

std::filesystem::path pid_file(const store::Layout& layout, const std::string& id) {
  return layout.run(id) / "pid";
}

std::string log_option(const MonitorRequest& request, const ContainerPaths& paths) {
  if (request.config.log_driver == "none") return "none";
  return "k8s-file:" + paths.log().native();
}

Arguments conmon_arguments(const store::Layout& layout, const MonitorRequest& request) {
  const ContainerPaths paths(layout.container(request.id));
  Arguments arguments = {"conmon", "--api-version", "1"};
  append(arguments, {"--cid", request.id, "--cuuid", request.id});
  append(arguments, {"--name", request.name, "--log-level", "error"});
  append(arguments, {"--runtime", request.runtime.program()});
  append(arguments, {"--bundle", paths.bundle(), "--full-attach"});
  append(arguments, {"--container-pidfile", pid_file(layout, request.id)});
  append(arguments, {"--conmon-pidfile", layout.run(request.id) / "conmon.pid"});
  append(arguments, {"--exit-dir", layout.exits()});
  append(arguments, {"--log-path", log_option(request, paths)});
  append_each(arguments, "--runtime-arg", request.runtime.global_arguments());
  if (request.config.terminal) {
    arguments.emplace_back("--terminal");
  } else if (request.config.open_stdin) {
    arguments.emplace_back("--stdin");
  }
  if (request.restore) {
    append(arguments, {"--restore", request.restore->image_directory});
    append_each(arguments, "--runtime-opt", request.runtime.restore_arguments(*request.restore));
  }
  const Arguments at_exit = exit_command(layout, request.id);
  append(arguments, {"--exit-command", at_exit[0]});
  append_each(arguments, "--exit-command-arg", Arguments(at_exit.begin() + 1, at_exit.end()));
  return arguments;
}

Child start_conmon(const store::Layout& layout, const MonitorRequest& request, const Pipe& sync,
                   const Fd& errors) {
  const Fd nowhere = open_file("/dev/null", O_WRONLY);
  // conmon makes a file "oom" where it stands when memory was short, and stands there for long: not
  // where our caller happens to be.
  Command command{.arguments = conmon_arguments(layout, request),
                  .directory = layout.run(request.id)};
  command.environment = {{"_OCI_SYNCPIPE", std::to_string(kSyncDescriptor)}};
  if (request.restore && request.restore->criu_configuration) {
    command.environment["CRIU_CONFIG_FILE"] = request.restore->criu_configuration->native();
  }
  command.descriptors = {{sync.write_end.get(), kSyncDescriptor},
                         {sync.read_end.get(), kSyncOtherEnd},
                         {nowhere.get(), STDOUT_FILENO},
                         {errors.get(), STDERR_FILENO}};
  // conmon outlives us: whatever our caller left open in us must not stay open in it.
  ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  return Child::start(command);
}

bool is_readable(const Fd& pipe) {
  pollfd source{pipe.get(), POLLIN, 0};
  const int ready = ::poll(&source, 1, static_cast<int>(kAskInterval.count()));
  if (ready < 0 && errno != EINTR) throw Error::system(errno, "cannot wait for conmon's answer");
  return ready > 0;
}

// The runtime's own words are "... restore ... ID". CRIU's, and those of the processes that it
// makes, are others: they may outlive it for ever.
bool runtime_is_at_work(const store::Layout& layout, const std::string& id) {
  using namespace std::string_literals;
  const auto is_restoring = [&](const std::string& arguments) {
    return arguments.contains("\0restore\0"s) && arguments.ends_with("\0"s + id + "\0"s);
  };
  return std::ranges::any_of(find_monitors(layout, id), [&](pid_t monitor) {
    return subject::has_descendant(monitor, is_restoring);
  });
}

// Whether CRIU has said that it gives up. Then it kills what it has made, and waits until that has
// ended, which can be never: a thread that fails late leaves others that wait for it.
bool has_given_up(const oci::RestoreOptions& restore) {
  constexpr std::string_view kWords = "Killing processes because of failure on restore";
  constexpr off_t kEnd = 64 << 10;  // it says little more after that
  const auto log = open_if_exists(restore.work_directory / "restore.log", O_RDONLY);
  if (!log) return false;
  const off_t size = stat_fd(*log).st_size;
  std::string end(static_cast<size_t>(std::min(size, kEnd)), '\0');
  end.resize(read_at(*log, end.data(), end.size(), static_cast<uint64_t>(size) - end.size()));
  return end.contains(kWords);
}

// A runtime that is killed while it restores can leave tasks that hold conmon's pipes: conmon waits
// for them and does not answer any more. Its end, and theirs, is the caller's.
void wait_for_answer(const store::Layout& layout, const Fd& pipe, const MonitorRequest& request) {
  Deadline given_up_at = deadline_in(kAnswerTimeout);
  while (!is_readable(pipe)) {
    const bool is_at_work = !request.restore || runtime_is_at_work(layout, request.id);
    if (is_at_work && !(request.restore && has_given_up(*request.restore))) {
      given_up_at = deadline_in(kAnswerTimeout);
    } else if (std::chrono::steady_clock::now() >= given_up_at) {
      throw Error(ErrorKind::kRuntime, is_at_work
                                           ? "CRIU failed, and did not end"
                                           : "the runtime ended without a word while it restored");
    }
  }
}

// Up to the end of the line or file. conmon keeps the pipe open after its answer.
std::string read_line(const store::Layout& layout, const Fd& pipe, const MonitorRequest& request) {
  std::string line;
  while (!line.ends_with('\n')) {
    wait_for_answer(layout, pipe, request);
    char buffer[4096];
    const ssize_t got = ::read(pipe.get(), buffer, sizeof buffer);
    if (got < 0 && errno != EINTR) throw Error::system(errno, "cannot read conmon's answer");
    if (got == 0) break;
    if (got > 0) line.append(buffer, static_cast<size_t>(got));
  }
  return line;
}

// From one of conmon's files.
std::optional<int64_t> read_number(const std::filesystem::path& file) {
  const auto text = read_file_if_exists(file);
  return text ? parse_integer(trim(*text)) : std::nullopt;
}

pid_t parse_answer(const std::string& answer, const Fd& conmon_errors) {
  const auto json = nlohmann::json::parse(answer, nullptr, false);
  if (!json.is_object() || !json.contains("data") || !json["data"].is_number_integer()) {
    const std::string line = last_line(read_all(conmon_errors));
    throw Error(ErrorKind::kRuntime,
                "conmon failed" + (line.empty() ? " without a word" : ": " + printable(line)));
  }
  const auto pid = json["data"].get<int64_t>();
  if (pid > 0) return static_cast<pid_t>(pid);
  throw runtime_error(json.value("message", "conmon says only that the runtime failed"));
}

}  // namespace

pid_t start_monitor(const store::Layout& layout, const MonitorRequest& request) {
  make_directory(layout.run(request.id), 0700);
  // Of an earlier run.
  std::filesystem::remove(layout.exits() / request.id);
  std::filesystem::remove(pid_file(layout, request.id));

  Pipe sync = make_pipe();
  Pipe errors = make_pipe();
  Child conmon = start_conmon(layout, request, sync, errors.write_end);
  {
    const Fd closed = std::move(sync.write_end);
  }
  {
    const Fd closed = std::move(errors.write_end);
  }
  const std::string answer = read_line(layout, sync.read_end, request);
  // The process that we started ends when it has made the one that stays.
  conmon.wait();
  return parse_answer(answer, errors.read_end);
}

std::optional<pid_t> wait_for_orphan(const store::Layout& layout, const std::string& id) {
  const Deadline hung = deadline_in(kOrphanTimeout);
  Deadline silent = deadline_in(kAnswerTimeout);
  for (;;) {
    const auto now = std::chrono::steady_clock::now();
    if (runtime_is_at_work(layout, id)) {
      silent = now + kAnswerTimeout;
      // conmon may not have come to call the runtime yet.
    } else if (path_exists(pid_file(layout, id)) || find_monitors(layout, id).empty()) {
      break;
    }
    if (now >= std::min(hung, silent)) return std::nullopt;
    std::this_thread::sleep_for(kAskInterval);
  }
  // A conmon whose runtime has failed ends within that time.
  std::this_thread::sleep_for(kAskInterval);
  if (find_monitors(layout, id).empty()) return std::nullopt;
  const auto pid = read_number(pid_file(layout, id));
  if (!pid || *pid <= 0 || !process_start_time(static_cast<pid_t>(*pid))) return std::nullopt;
  return static_cast<pid_t>(*pid);
}

std::optional<int> read_exit_code(const store::Layout& layout, const std::string& id) {
  const auto code = read_number(layout.exits() / id);
  return code ? std::optional(static_cast<int>(*code)) : std::nullopt;
}

}  // namespace still::engine
