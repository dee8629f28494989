// still rm
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "cli/app.h"
#include "cli/flags/flag_values.h"
#include "cli/flags/selection.h"
#include "engine/container/container.h"

namespace still::cli {
namespace {

struct RmOptions {
  ContainerArguments containers;
  bool force = false;
  bool volumes = false;
  std::optional<std::string> time;
};

// With a time the container may end in its own way before it is removed.
void remove_one(engine::Container container, bool force, const std::optional<int>& seconds) {
  if (force && seconds && container.running()) container.stop(std::chrono::seconds(*seconds));
  container.remove(force);
}

int run_rm(Context& context, RmOptions options) {
  std::optional<int> seconds;
  if (options.time) seconds = parse_seconds(*options.time, "--time");
  options.containers.ignore_missing |= options.force;
  return for_each_container(context, options.containers, [&](const std::string& id) {
    remove_one(engine::Container::open(context.host(), id), options.force, seconds);
  });
}

}  // namespace

void register_rm(CLI::App& parent, Context& context) {
  auto options = std::make_shared<RmOptions>();
  CLI::App& command = add_command(parent, {"rm",
                                           "Remove one or more containers",
                                           "[flags] CONTAINER...",
                                           {"still rm db", "still rm --force --all"}});
  add_container_arguments(command, options->containers);
  add_no_wait_flag(command);
  add_all_flag(command, options->containers, "-a,--all", "All containers");
  add_ignore_flag(command, options->containers);
  command.add_flag("-f,--force", options->force,
                   "Remove a running container, too; a missing one is no error");
  command.add_flag("-v,--volumes", options->volumes,
                   "For Podman's sake: anonymous volumes go with their container in any case");
  add_value(command, "-t,--time", options->time,
            "With --force: seconds to wait before the container is killed (default 0)", "SECONDS");
  on_run(command, context, [&context, options] { return run_rm(context, *options); });
}

}  // namespace still::cli
