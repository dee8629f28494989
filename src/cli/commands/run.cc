// still create, still run
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "base/log.h"
#include "cli/app.h"
#include "cli/commands/attach.h"
#include "cli/flags/container_flags.h"
#include "engine/container/container.h"

namespace still::cli {
namespace {

struct RunOptions {
  ContainerFlags container;
  bool detach = false;
};

engine::Container create(Context& context, const ContainerFlags& flags, const CLI::App& command) {
  auto config = make_config(context, flags, rest_of_line(command));
  return engine::Container::create(context.host(), std::move(config), flags.name.value_or(""));
}

int run_create(Context& context, const ContainerFlags& flags, const CLI::App& command) {
  std::cout << create(context, flags, command).id() << "\n";
  return 0;
}

// With --rm a container that could not even be started must not stay either. Its own end removes
// it, too: then it is gone already.
void remove_unstarted(Context& context, const std::string& id) try {
  engine::Container::open(context.host(), id).remove(true);
} catch (const Error& error) {
  if (error.kind() != ErrorKind::kNotFound) warn(error.message());
}

template <typename Start>
int start_or_remove(Context& context, const std::string& id, bool remove, const Start& start) try {
  return start();
} catch (const Error&) {
  if (remove) remove_unstarted(context, id);
  throw;
}

int run_detached(engine::Container container) {
  container.start();
  std::cout << container.id() << "\n";
  return 0;
}

int run_run(Context& context, const RunOptions& options, const CLI::App& command) {
  auto container = create(context, options.container, command);
  const std::string id = container.id();
  return start_or_remove(context, id, options.container.remove, [&] {
    if (options.detach) return run_detached(std::move(container));
    return run_attached(context, std::move(container), options.container.interactive);
  });
}

}  // namespace

void register_create(CLI::App& parent, Context& context) {
  auto flags = std::make_shared<ContainerFlags>();
  CLI::App& command = add_command(parent, {"create",
                                           "Create a container without starting it",
                                           "[flags] IMAGE [COMMAND [ARG...]]",
                                           {"still create --name db -v data:/var/lib/redis redis",
                                            "still create --rootfs /srv/busybox sleep 1000"}});
  add_container_flags(command, *flags);
  stop_at_first_word(command);
  on_run(command, context,
         [&context, &command, flags] { return run_create(context, *flags, command); });
}

void register_run(CLI::App& parent, Context& context) {
  auto options = std::make_shared<RunOptions>();
  CLI::App& command = add_command(parent, {"run",
                                           "Run a command in a new container",
                                           "[flags] IMAGE [COMMAND [ARG...]]",
                                           {"still run --rm -it debian bash",
                                            "still run -d --name db -v data:/var/lib/redis redis",
                                            "still run -d --rootfs /srv/busybox sleep 1000"}});
  command.add_flag("-d,--detach", options->detach,
                   "Leave the container running in the background and print its id");
  add_container_flags(command, options->container);
  stop_at_first_word(command);
  on_run(command, context,
         [&context, &command, options] { return run_run(context, *options, command); });
}

}  // namespace still::cli
