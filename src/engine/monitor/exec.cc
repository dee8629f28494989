#include "engine/monitor/exec.h"

#include <fcntl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/format.h"
#include "engine/container/bundle.h"
#include "engine/monitor/runtime_errors.h"
#include "os/files.h"
#include "os/process.h"
#include "os/temp_dir.h"

namespace still::engine {
namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(1);

void require_awake(const Container& container) {
  if (container.record().status == store::ContainerStatus::kRunning) return;
  const std::string status = to_string(container.record().status);
  throw Error(ErrorKind::kConflict,
              formatted("container {} is not running ({})", container.name(), status),
              status == "paused" ? "unpause it first" : "start it first");
}

oci::ProcessSettings settings_for(const Container& container, const ExecSettings& settings) {
  ContainerConfig config = container.config();
  config.init = false;
  config.arguments = settings.arguments;
  config.terminal = settings.terminal;
  if (!settings.directory.empty()) config.directory = settings.directory;
  if (!settings.user.empty()) config.user = settings.user;
  // Of two assignments to one variable the last one counts.
  config.environment.insert(config.environment.end(), settings.environment.begin(),
                            settings.environment.end());
  return process_settings({container.id(), container.name()}, config, container.paths());
}

// Where we can read what the runtime says of a failure; its standard error is the command's, too.
Command with_log(Command command, const std::filesystem::path& log) {
  command.arguments.insert(command.arguments.begin() + 1, "--log=" + log.native());
  return command;
}

// The runtime has written the pid: the process is in the container. False if it ended without that.
bool wait_until_inside(Child& runtime, const std::filesystem::path& pid_file) {
  const auto is_inside = [&] { return !read_file_if_exists(pid_file).value_or("").empty(); };
  while (!is_inside()) {
    if (runtime.wait_until(deadline_in(kPollInterval))) return is_inside();
  }
  return true;
}

}  // namespace

int exec(Container container, const ExecSettings& settings) {
  require_awake(container);
  std::optional<Container> locked(std::move(container));
  const TempDir work(locked->paths().bundle(), "exec-");
  const auto process_file = work.path() / "process.json";
  const auto pid_file = work.path() / "pid";
  const auto log = work.path() / "log";
  const auto process = oci::build_process(settings_for(*locked, settings));
  write_file_atomically(process_file, process.dump(), 0600);

  locked->keep_seccomp();
  Command command =
      with_log(locked->runtime()->exec_command(locked->id(), process_file, settings.terminal,
                                               settings.detach, pid_file),
               log);
  command.inherit_stdin = settings.interactive || settings.terminal;
  const Fd output = open_file("/dev/null", O_WRONLY);
  const Fd errors = open_file("/dev/null", O_WRONLY);
  // A command that runs on must not keep our output open, whose reader would wait for its end.
  if (settings.detach) {
    command.descriptors = {{output.get(), STDOUT_FILENO}, {errors.get(), STDERR_FILENO}};
  }
  Child runtime = Child::start(command);
  const bool inside = wait_until_inside(runtime, pid_file);
  locked.reset();  // from here on others may work with the container
  const ExitStatus status = runtime.wait();
  if (inside || status.ok()) return status.code;
  const std::string message = read_file_if_exists(log).value_or("");
  if (settings.detach) throw runtime_error(message);
  return exit_code(runtime_error(message));  // the runtime has said it on our standard error
}

}  // namespace still::engine
