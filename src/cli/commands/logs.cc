// still logs
#include "engine/monitor/logs.h"

#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/text.h"
#include "cli/app.h"
#include "cli/flags/selection.h"
#include "engine/container/container.h"

namespace still::cli {
namespace {

struct LogsOptions {
  ContainerArguments containers;
  bool follow = false;
  bool timestamps = false;
  int64_t tail = -1;
};

bool still_running(Context& context, const std::string& id) try {
  const auto record = engine::current(context.layout(), context.store().find_container(id));
  return record.status == store::ContainerStatus::kRunning ||
         record.status == store::ContainerStatus::kPaused;
} catch (const Error& error) {
  if (error.kind() == ErrorKind::kNotFound) return false;  // removed with --rm
  throw;
}

void print_one(Context& context, const std::string& id, const LogsOptions& options) {
  const auto record = context.store().find_container(id);
  if (engine::parse_container_config(record.config_json).log_driver == "none") {
    throw Error(ErrorKind::kConflict, "container " + record.name + " keeps no log",
                "it was created with --log-driver=none");
  }
  engine::LogOptions how;
  if (options.tail >= 0) how.tail = static_cast<uint64_t>(options.tail);
  how.timestamps = options.timestamps;
  std::function<bool()> running;
  if (options.follow) running = [&context, id] { return still_running(context, id); };
  const engine::ContainerPaths paths(context.layout().container(id));
  engine::print_log(paths.log(), how, Fd(::dup(STDOUT_FILENO)), Fd(::dup(STDERR_FILENO)), running);
}

int run_logs(Context& context, const LogsOptions& options) {
  const auto containers = find_containers(context, options.containers);
  if (options.follow && containers.size() > 1) {
    throw Error(ErrorKind::kUnsupported, "--follow of several containers is not supported",
                "name one container");
  }
  for (const NamedContainer& container : containers) print_one(context, container.id, options);
  return 0;
}

}  // namespace

void register_logs(CLI::App& parent, Context& context) {
  auto options = std::make_shared<LogsOptions>();
  CLI::App& command = add_command(parent, {"logs",
                                           "Print what one or more containers have written",
                                           "[flags] CONTAINER...",
                                           {"still logs db", "still logs --follow --tail 10 web"}});
  add_container_arguments(command, options->containers);
  command.add_flag("-f,--follow", options->follow, "Go on until the container has ended");
  command.add_flag("-t,--timestamps", options->timestamps, "Print when each line was written");
  command.add_option("--tail", options->tail, "Only this many lines at the end (default -1: all)")
      ->option_text("LINES");
  on_run(command, context, [&context, options] { return run_logs(context, *options); });
}

}  // namespace still::cli
