// still start
#include <iostream>
#include <memory>
#include <utility>

#include "base/format.h"
#include "cli/app.h"
#include "cli/commands/attach.h"
#include "cli/flags/selection.h"
#include "engine/container/container.h"
#include "os/files.h"

namespace still::cli {
namespace {

struct StartOptions {
  ContainerArguments containers;
  bool attach = false;
  bool interactive = false;
  bool discard_checkpoint = false;
};

// What the container had in memory when a checkpoint ended it would be lost without a word.
void refuse_checkpointed(const engine::Container& container) {
  if (!container.record().checkpointed || !path_exists(container.paths().checkpoint())) return;
  throw Error(ErrorKind::kConflict,
              formatted("container {} has ended with a checkpoint, which a start would throw away",
                        container.name()),
              formatted("still restore {0} brings it back, still start --discard-checkpoint {0} "
                        "starts it anew",
                        container.name()));
}

engine::Container open(Context& context, const StartOptions& options, const std::string& id) {
  auto container = engine::Container::open(context.host(), id);
  if (!options.discard_checkpoint) refuse_checkpointed(container);
  return container;
}

int start_one_attached(Context& context, const StartOptions& options) {
  const auto found = find_containers(context, options.containers);
  if (found.size() != 1) {
    throw Error(ErrorKind::kUsage, "--attach takes exactly one container",
                "start them without --attach");
  }
  auto container = open(context, options, found.front().id);
  const bool open_stdin = options.interactive && container.config().open_stdin;
  return run_attached(context, std::move(container), open_stdin);
}

// With --all those that run already are left alone.
void start_one(Context& context, const StartOptions& options, const std::string& id) {
  auto container = open(context, options, id);
  if (!(options.containers.selection.all && container.running())) container.start();
}

int run_start(Context& context, const StartOptions& options) {
  if (options.attach) return start_one_attached(context, options);
  return for_each_container(context, options.containers,
                            [&](const std::string& id) { start_one(context, options, id); });
}

}  // namespace

void register_start(CLI::App& parent, Context& context) {
  auto options = std::make_shared<StartOptions>();
  CLI::App& command = add_command(parent, {"start",
                                           "Start one or more containers",
                                           "[flags] CONTAINER...",
                                           {"still start db web", "still start --attach job",
                                            "still start --discard-checkpoint web"}});
  add_container_arguments(command, options->containers);
  add_all_flag(command, options->containers, "--all", "All containers");
  command.add_flag("-a,--attach", options->attach,
                   "Connect standard output and error, return the container's exit code");
  command.add_flag("-i,--interactive", options->interactive,
                   "With --attach: connect standard input, too");
  command.add_flag(
      "--discard-checkpoint", options->discard_checkpoint,
      "Start a container that ended with a checkpoint anew, and remove the checkpoint");
  on_run(command, context, [&context, options] { return run_start(context, *options); });
}

}  // namespace still::cli
