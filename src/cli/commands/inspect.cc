// still inspect; still container inspect, still image inspect, still volume inspect
#include "cli/commands/inspect.h"

#include <algorithm>
#include <array>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "cli/app.h"
#include "cli/flags/engine_flags.h"
#include "cli/output/output.h"
#include "engine/container/container.h"
#include "engine/container/selection.h"

namespace still::cli {
namespace {

struct InspectOptions {
  std::vector<std::string> names;
  std::string type;
  std::string format = "json";
  bool latest = false;
  bool all = false;  // volumes
  EngineFlags engine;
};

// The object, or nullopt if there is none of that name. An ambiguous prefix is an error.
template <typename Find>
std::optional<Json> if_found(const Find& find) try {
  return find();
} catch (const Error& error) {
  if (error.kind() == ErrorKind::kNotFound) return std::nullopt;
  throw;
}

std::optional<Json> find_own_container(Context& context, const std::string& name) {
  return if_found([&] {
    const ContainerViewer viewer(context.host());
    return inspect_container(context.layout(), viewer.view(context.store().find_container(name)));
  });
}

std::optional<Json> find_container_of_others(Context& context, const EngineFlags& engine,
                                             const std::string& name) {
  return if_found([&] {
    sources::Engines engines(context.host(), engine.settings());
    const auto found = engines.find(name);
    return inspect_subject(*found.source->hold(found.id, false).container);
  });
}

std::optional<Json> find_image(Context& context, const std::string& name) {
  return if_found([&] { return inspect_image(context.store().find_image(name)); });
}

std::optional<Json> find_volume(Context& context, const std::string& name) {
  const auto volume = context.store().volume(name);
  if (!volume) return std::nullopt;
  return inspect_volume(context.layout(), *volume);
}

// Podman's order when no type is given.
std::optional<Json> find_object(Context& context, const InspectOptions& options,
                                const std::string& name) {
  const std::string& type = options.type;
  const bool is_own = options.engine.engine == "still" || options.engine.engine == "auto";
  const bool is_container = type == "all" || type == "container";
  std::optional<Json> found;
  if (is_own && is_container) found = find_own_container(context, name);
  if (!found && is_own && (type == "all" || type == "image")) found = find_image(context, name);
  if (!found && is_own && (type == "all" || type == "volume")) found = find_volume(context, name);
  if (!found && is_container && options.engine.engine != "still") {
    found = find_container_of_others(context, options.engine, name);
  }
  return found;
}

Error no_such(const std::string& type, const std::string& name) {
  const std::string what = type == "all" ? "object" : type;
  return Error(ErrorKind::kNotFound, "no such " + what + ": \"" + printable(name) + "\"");
}

void print(const Json& found, const std::string& format) {
  if (format == "json") {
    std::cout << pretty(found);
  } else {
    for (const Json& object : found) std::cout << format_object(object, format);
  }
}

void resolve_names(Context& context, InspectOptions& options) {
  if (options.latest) {
    options.names = engine::resolve(context.store(), {options.names, false, true});
    options.type = "container";
  }
  if (options.all) {
    for (const auto& volume : context.store().volumes()) options.names.push_back(volume.name);
  } else if (options.names.empty()) {
    throw Error(ErrorKind::kUsage, "no names or ids specified", "name what to inspect");
  }
}

void check_type(const std::string& type) {
  constexpr std::array<std::string_view, 4> kTypes = {"all", "container", "image", "volume"};
  if (std::ranges::contains(kTypes, type)) return;
  throw Error(ErrorKind::kUsage, "unknown type \"" + printable(type) + "\"",
              "types are container, image, volume, all");
}

// What was found is printed even if something else was not.
int run_inspect(Context& context, InspectOptions options) {
  check_type(options.type);
  resolve_names(context, options);
  Json found = Json::array();
  std::vector<Error> missing;
  for (const std::string& name : options.names) {
    if (auto object = find_object(context, options, name)) {
      found.push_back(std::move(*object));
    } else {
      missing.push_back(no_such(options.type, name));
    }
  }
  print(found, options.format);
  std::cout.flush();
  for (const Error& error : missing) report(error);
  return missing.empty() ? 0 : exit_code(missing.front());
}

void add_flags(CLI::App& command, InspectOptions& options, const std::string& type) {
  command.add_option("NAME", options.names, "Names or ids");
  command
      .add_option("-f,--format", options.format, "Print as JSON or by a Go template (default json)")
      ->option_text("json|TEMPLATE");
  if (type == "all") {
    command.add_option("-t,--type", options.type, "Kind of thing to inspect (default all)")
        ->option_text("container|image|volume|all");
  }
  if (type == "all" || type == "container") {
    command.add_flag("-l,--latest", options.latest, "The container created last");
    add_engine_flags(command, options.engine,
                     "Whose container (default auto: Still's own, then those of others)", "auto");
  }
  if (type == "volume") command.add_flag("-a,--all", options.all, "All volumes");
}

std::vector<std::string> examples(const std::string& type) {
  if (type == "volume") return {"still volume inspect --format '{{.Mountpoint}}' data"};
  if (type == "image") return {"still image inspect redis"};
  return {"still inspect db", "still inspect --format '{{.State.Status}}' db",
          "still inspect --format '{{range .Mounts}}{{.Name}} {{end}}' db"};
}

}  // namespace

void register_inspect(CLI::App& parent, Context& context, const std::string& type) {
  auto options = std::make_shared<InspectOptions>();
  options->type = type;
  const std::string things = type == "all" ? "containers, images or volumes" : type + "s";
  CLI::App& command = add_command(
      parent, {"inspect", "Print all about " + things, "[flags] NAME...", examples(type)});
  add_flags(command, *options, type);
  on_run(command, context, [&context, options] { return run_inspect(context, *options); });
}

}  // namespace still::cli
