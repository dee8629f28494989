// still rm
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/format.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/app.h"
#include "cli/flags/flag_values.h"
#include "cli/flags/selection.h"
#include "cli/output/human.h"
#include "engine/container/container.h"
#include "engine/container/kept_checkpoints.h"

namespace still::cli {
namespace {

struct RmOptions {
  ContainerArguments containers;
  bool force = false;
  bool volumes = false;
  std::optional<std::string> time;
};

// What a restore could have brought back.
std::vector<std::string> lost_with(Context& context, const engine::Container& container) {
  std::vector<std::string> lost;
  for (const auto& kept : engine::kept_checkpoints(context.layout(), container.record())) {
    if (kept.kind == engine::CheckpointKind::kUsedUp) continue;
    lost.push_back(formatted("its {} checkpoint of {} ago ({})", to_string(kept.kind),
                             human_age(since(kept.at)), human_size(kept.bytes)));
  }
  return lost;
}

// With a time the container may end in its own way before it is removed.
void remove_one(Context& context, const std::string& id, bool force,
                const std::optional<int>& seconds) {
  auto container = engine::Container::open(context.host(), id);
  const auto lost = lost_with(context, container);
  if (force && seconds && container.running()) container.stop(std::chrono::seconds(*seconds));
  container.remove(force);
  if (!lost.empty()) warn("with container " + container.name() + " went " + join(lost, " and "));
}

int run_rm(Context& context, RmOptions options) {
  std::optional<int> seconds;
  if (options.time) seconds = parse_seconds(*options.time, "--time");
  options.containers.ignore_missing |= options.force;
  return for_each_container(context, options.containers, [&](const std::string& id) {
    remove_one(context, id, options.force, seconds);
  });
}

}  // namespace

void register_rm(CLI::App& parent, Context& context) {
  auto options = std::make_shared<RmOptions>();
  CLI::App& command =
      add_command(parent, {"rm",
                           "Remove one or more containers, and their checkpoints in the store",
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
