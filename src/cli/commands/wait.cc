// still wait
#include <iostream>
#include <memory>

#include "cli/app.h"
#include "cli/flags/selection.h"
#include "engine/container/container.h"

namespace still::cli {
namespace {

int run_wait(Context& context, const ContainerArguments& containers) {
  for (const NamedContainer& container : find_containers(context, containers)) {
    std::cout << engine::Container::open(context.host(), container.id).wait() << std::endl;
  }
  return 0;
}

}  // namespace

void register_wait(CLI::App& parent, Context& context) {
  auto containers = std::make_shared<ContainerArguments>();
  CLI::App& command = add_command(
      parent, {"wait",
               "Wait until one or more containers have ended and print their exit codes",
               "[flags] CONTAINER...",
               {"still wait job"}});
  add_container_arguments(command, *containers);
  command.add_flag("--ignore", containers->ignore_missing,
                   "Do not fail for a container that does not exist");
  on_run(command, context, [&context, containers] { return run_wait(context, *containers); });
}

}  // namespace still::cli
