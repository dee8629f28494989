// still container exists; still container cleanup, which conmon calls when a container has ended
#include <memory>
#include <string>

#include "cli/app.h"
#include "engine/container/container.h"

namespace still::cli {
namespace {

int run_cleanup(Context& context, const std::string& id) try {
  engine::Container::open(context.host(), id).clean_up();
  return 0;
} catch (const Error& error) {
  // Somebody else saw the end first and removed it.
  if (error.kind() == ErrorKind::kNotFound) return 0;
  throw;
}

// Podman's exit code for "no": 1.
int run_exists(Context& context, const std::string& reference) try {
  context.store().find_container(reference);
  return 0;
} catch (const Error& error) {
  if (error.kind() == ErrorKind::kNotFound) return 1;
  throw;
}

}  // namespace

void register_cleanup(CLI::App& parent, Context& context) {
  auto id = std::make_shared<std::string>();
  CLI::App& command =
      add_command(parent, {"cleanup", "Tidy up after a container that has ended", "CONTAINER", {}});
  command.group("");  // not for people
  command.add_option("CONTAINER", *id)->required();
  on_run(command, context, [&context, id] { return run_cleanup(context, *id); });
}

void register_container_exists(CLI::App& parent, Context& context) {
  auto reference = std::make_shared<std::string>();
  CLI::App& command = add_command(parent, {"exists",
                                           "Tell by the exit code (0 or 1) if a container exists",
                                           "CONTAINER",
                                           {"still container exists db && still start db"}});
  command.add_option("CONTAINER", *reference, "Name or id")->required();
  on_run(command, context, [&context, reference] { return run_exists(context, *reference); });
}

}  // namespace still::cli
