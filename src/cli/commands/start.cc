// still start
#include <iostream>
#include <memory>
#include <utility>

#include "cli/app.h"
#include "cli/commands/attach.h"
#include "cli/flags/selection.h"
#include "engine/container/container.h"

namespace still::cli {
namespace {

struct StartOptions {
  ContainerArguments containers;
  bool attach = false;
  bool interactive = false;
};

engine::Container open(Context& context, const std::string& id) {
  return engine::Container::open(context.host(), id);
}

int start_one_attached(Context& context, const StartOptions& options) {
  const auto found = find_containers(context, options.containers);
  if (found.size() != 1) {
    throw Error(ErrorKind::kUsage, "--attach takes exactly one container",
                "start them without --attach");
  }
  auto container = open(context, found.front().id);
  const bool open_stdin = options.interactive && container.config().open_stdin;
  return run_attached(context, std::move(container), open_stdin);
}

// With --all those that run already are left alone.
void start_one(Context& context, const std::string& id, bool all) {
  auto container = open(context, id);
  if (!(all && container.running())) container.start();
}

int run_start(Context& context, const StartOptions& options) {
  if (options.attach) return start_one_attached(context, options);
  return for_each_container(context, options.containers, [&](const std::string& id) {
    start_one(context, id, options.containers.selection.all);
  });
}

}  // namespace

void register_start(CLI::App& parent, Context& context) {
  auto options = std::make_shared<StartOptions>();
  CLI::App& command = add_command(parent, {"start",
                                           "Start one or more containers",
                                           "[flags] CONTAINER...",
                                           {"still start db web", "still start --attach job"}});
  add_container_arguments(command, options->containers);
  add_all_flag(command, options->containers, "--all", "All containers");
  command.add_flag("-a,--attach", options->attach,
                   "Connect standard output and error, return the container's exit code");
  command.add_flag("-i,--interactive", options->interactive,
                   "With --attach: connect standard input, too");
  on_run(command, context, [&context, options] { return run_start(context, *options); });
}

}  // namespace still::cli
