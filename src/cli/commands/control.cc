// still stop, still kill, still pause, still unpause
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "cli/app.h"
#include "cli/flags/flag_values.h"
#include "cli/flags/selection.h"
#include "engine/container/container.h"
#include "engine/container/signals.h"

namespace still::cli {
namespace {

using engine::Container;

Container open(Context& context, const std::string& id) {
  return Container::open(context.host(), id);
}

// --- stop ---

struct StopOptions {
  ContainerArguments containers;
  std::optional<std::string> time;
};

// A container that has ended already is as the caller wants it.
void stop_one(Container container, const std::optional<int>& seconds) {
  if (!container.running()) return;
  container.stop(std::chrono::seconds(seconds.value_or(container.config().stop_timeout_seconds)));
}

int run_stop(Context& context, const StopOptions& options) {
  std::optional<int> seconds;
  if (options.time) seconds = parse_seconds(*options.time, "--time");
  return for_each_container(context, options.containers,
                            [&](const std::string& id) { stop_one(open(context, id), seconds); });
}

// --- kill ---

struct KillOptions {
  ContainerArguments containers;
  std::string signal = "KILL";
};

// --all means all that run: a signal to the others makes no sense.
void kill_one(Container container, int signal, bool all) {
  if (!all || container.running()) container.kill(signal);
}

int run_kill(Context& context, const KillOptions& options) {
  const int signal = engine::parse_signal(options.signal);
  return for_each_container(context, options.containers, [&](const std::string& id) {
    kill_one(open(context, id), signal, options.containers.selection.all);
  });
}

// --- pause, unpause ---

using store::ContainerStatus;

void pause_one(Container container, bool all) {
  if (all && container.record().status != ContainerStatus::kRunning) return;
  container.pause();
}

void unpause_one(Container container, bool all) {
  if (all && container.record().status != ContainerStatus::kPaused) return;
  container.unpause();
}

void register_pausing(CLI::App& parent, Context& context, const CommandText& text,
                      const std::string& all_text, void (*action)(Container, bool)) {
  auto containers = std::make_shared<ContainerArguments>();
  CLI::App& command = add_command(parent, text);
  add_container_arguments(command, *containers);
  add_no_wait_flag(command);
  add_all_flag(command, *containers, "-a,--all", all_text);
  on_run(command, context, [&context, containers, action] {
    return for_each_container(context, *containers, [&](const std::string& id) {
      action(open(context, id), containers->selection.all);
    });
  });
}

}  // namespace

void register_stop(CLI::App& parent, Context& context) {
  auto options = std::make_shared<StopOptions>();
  CLI::App& command =
      add_command(parent, {"stop",
                           "Stop one or more running containers",
                           "[flags] CONTAINER...",
                           {"still stop db", "still stop --time 2 web", "still stop --all"}});
  add_container_arguments(command, options->containers);
  add_no_wait_flag(command);
  add_all_flag(command, options->containers, "-a,--all", "All running containers");
  add_ignore_flag(command, options->containers);
  add_value(command, "-t,--time", options->time,
            "Seconds to wait before the container is killed (default: the container's)", "SECONDS");
  on_run(command, context, [&context, options] { return run_stop(context, *options); });
}

void register_kill(CLI::App& parent, Context& context) {
  auto options = std::make_shared<KillOptions>();
  CLI::App& command = add_command(parent, {"kill",
                                           "Send a signal to one or more running containers",
                                           "[flags] CONTAINER...",
                                           {"still kill db", "still kill --signal HUP web"}});
  add_container_arguments(command, options->containers);
  add_no_wait_flag(command);
  add_all_flag(command, options->containers, "-a,--all", "All running containers");
  command.add_option("-s,--signal", options->signal, "Signal to send (default KILL)")
      ->option_text("SIGNAL");
  on_run(command, context, [&context, options] { return run_kill(context, *options); });
}

void register_pause(CLI::App& parent, Context& context) {
  register_pausing(parent, context,
                   {"pause",
                    "Freeze all processes of one or more containers",
                    "[flags] CONTAINER...",
                    {"still pause db"}},
                   "All running containers", pause_one);
}

void register_unpause(CLI::App& parent, Context& context) {
  register_pausing(parent, context,
                   {"unpause",
                    "Let the processes of one or more paused containers run on",
                    "[flags] CONTAINER...",
                    {"still unpause db"}},
                   "All paused containers", unpause_one);
}

}  // namespace still::cli
