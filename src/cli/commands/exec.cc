// still exec
#include "engine/monitor/exec.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/app.h"
#include "cli/flags/flag_values.h"
#include "cli/flags/selection.h"

namespace still::cli {
namespace {

struct ExecOptions {
  bool latest = false;
  bool detach = false;
  bool interactive = false;
  bool tty = false;
  std::vector<std::string> environment;
  std::vector<std::string> environment_files;
  std::optional<std::string> directory;
  std::optional<std::string> user;
};

engine::ExecSettings settings_of(const ExecOptions& options, std::vector<std::string> words) {
  engine::ExecSettings settings;
  settings.arguments = std::move(words);
  for (const std::string& file : options.environment_files) {
    std::ranges::move(read_environment_file(file), std::back_inserter(settings.environment));
  }
  for (const std::string& value : options.environment) {
    if (auto variable = parse_environment(value)) settings.environment.push_back(*variable);
  }
  settings.directory = options.directory.value_or("");
  settings.user = options.user.value_or("");
  settings.terminal = options.tty;
  settings.interactive = options.interactive;
  settings.detach = options.detach;
  return settings;
}

int run_exec(Context& context, const ExecOptions& options, std::vector<std::string> words) {
  const std::string id = take_container(context, options.latest, words);
  if (words.empty()) {
    throw Error(ErrorKind::kUsage, "no command to run in the container",
                "for example: still exec CONTAINER ls");
  }
  const auto settings = settings_of(options, std::move(words));
  return engine::exec(engine::Container::open(context.host(), id), settings);
}

}  // namespace

void register_exec(CLI::App& parent, Context& context) {
  auto options = std::make_shared<ExecOptions>();
  CLI::App& command =
      add_command(parent, {"exec",
                           "Run another command in a running container",
                           "[flags] CONTAINER COMMAND [ARG...]",
                           {"still exec db redis-cli info", "still exec -it -w /tmp web sh"}});
  command.add_flag("-l,--latest", options->latest, "The container created last");
  command.add_flag("-d,--detach", options->detach, "Leave the command running in the background");
  command.add_flag("-i,--interactive", options->interactive, "Pass standard input on");
  add_no_wait_flag(command);
  command.add_flag("-t,--tty", options->tty, "Give the command a terminal");
  add_list(command, "-e,--env", options->environment, "Set an environment variable",
           "NAME[=VALUE]");
  add_list(command, "--env-file", options->environment_files,
           "Read environment variables from a file", "FILE");
  add_value(command, "-w,--workdir", options->directory, "Working directory in the container",
            "DIR");
  add_value(command, "-u,--user", options->user, "User and group that the command runs as",
            "USER[:GROUP]");
  stop_at_first_word(command);
  on_run(command, context, [&context, &command, options] {
    return run_exec(context, *options, rest_of_line(command));
  });
}

}  // namespace still::cli
