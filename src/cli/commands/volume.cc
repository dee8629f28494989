// still volume create, ls, rm, prune, exists (and inspect, which is in inspect.cc)
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cli/app.h"
#include "cli/commands/inspect.h"
#include "cli/flags/filters.h"
#include "cli/flags/flag_values.h"
#include "cli/flags/selection.h"
#include "cli/output/output.h"
#include "engine/container/volumes.h"

namespace still::cli {
namespace {

engine::Volumes volumes(Context& context) { return engine::Volumes(context.host()); }

// --- create ---

struct CreateOptions {
  std::string name;
  std::vector<std::string> labels;
  bool ignore = false;
};

int run_create(Context& context, const CreateOptions& options) {
  std::vector<std::pair<std::string, std::string>> labels;
  for (const std::string& value : options.labels) labels.push_back(parse_label(value));
  const bool exists = !options.name.empty() && context.store().volume(options.name);
  const std::string name = options.ignore && exists
                               ? options.name
                               : volumes(context).create(options.name, false, std::move(labels));
  std::cout << name << "\n";
  return 0;
}

void register_volume_create(CLI::App& group, Context& context) {
  auto options = std::make_shared<CreateOptions>();
  CLI::App& command = add_command(
      group, {"create",
              "Create a volume",
              "[flags] [NAME]",
              {"still volume create data", "still volume create --label team=db data"}});
  command.add_option("NAME", options->name, "Name; one is made up otherwise");
  add_list(command, "-l,--label", options->labels, "Attach a label", "KEY=VALUE");
  command.add_flag("--ignore", options->ignore, "Do not fail if the volume exists");
  on_run(command, context, [&context, options] { return run_create(context, *options); });
}

// --- ls ---

struct ListVolumesOptions {
  bool quiet = false;
  std::vector<std::string> filters;
  ListOptions list;
};

bool fits(Context& context, const store::VolumeRecord& volume, const std::string& key,
          const std::string& value) {
  if (key == "name") return volume.name.contains(value);
  if (key == "label") return has_label({volume.labels.begin(), volume.labels.end()}, value);
  return volumes(context).users(volume.name).empty() == (value == "true");  // dangling
}

ListEntry volume_entry(const store::Layout& layout, const store::VolumeRecord& volume) {
  Json json = inspect_volume(layout, volume);
  return {json, json};
}

std::vector<store::VolumeRecord> filtered(Context& context,
                                          const std::vector<std::string>& filters) {
  const auto wanted = parse_filters(filters, {"name", "label", "dangling"});
  auto records = context.store().volumes();
  for (const auto& [key, values] : wanted) {
    for (const std::string& value : values) {
      std::erase_if(records,
                    [&](const auto& volume) { return !fits(context, volume, key, value); });
    }
  }
  return records;
}

int run_list(Context& context, ListVolumesOptions options) {
  if (options.quiet) options.list.format = "{{.Name}}";
  const ListFormat format{"table {{.Driver}}\t{{.Name}}",
                          {{"Name", "VOLUME NAME"}},
                          volume_entry(context.layout(), {}).fields};
  std::vector<ListEntry> entries;
  for (const auto& volume : filtered(context, options.filters)) {
    entries.push_back(volume_entry(context.layout(), volume));
  }
  std::cout << format_list(entries, format, options.list);
  return 0;
}

void register_volume_list(CLI::App& group, Context& context) {
  auto options = std::make_shared<ListVolumesOptions>();
  CLI::App& command = add_command(
      group,
      {"ls", "List volumes", "[flags]", {"still volume ls", "still volume ls --format json"}});
  command.alias("list");
  command.add_flag("-q,--quiet", options->quiet, "Print names only");
  command.add_flag("-n,--noheading", options->list.no_heading, "Print no line of headers");
  add_value(command, "--format", options->list.format, "Print as JSON or by a Go template",
            "json|TEMPLATE");
  add_list(command, "-f,--filter", options->filters, "Only volumes that fit",
           "name=TEXT|label=KEY[=VALUE]|dangling=BOOL");
  on_run(command, context, [&context, options] { return run_list(context, *options); });
}

// --- rm, prune, exists ---

struct RemoveOptions {
  std::vector<std::string> names;
  bool all = false;
  bool force = false;
};

std::vector<std::string> names_to_remove(Context& context, const RemoveOptions& options) {
  if (options.all == !options.names.empty()) {
    throw Error(ErrorKind::kUsage, "name the volumes to remove, or use --all",
                "see 'still volume rm --help'");
  }
  if (!options.all) return options.names;
  std::vector<std::string> names;
  for (const auto& volume : context.store().volumes()) names.push_back(volume.name);
  return names;
}

int run_remove(Context& context, const RemoveOptions& options) {
  return for_each_name(names_to_remove(context, options), [&](const std::string& name) {
    if (options.force && !context.store().volume(name)) return;
    volumes(context).remove(name, options.force);
    std::cout << name << "\n";
  });
}

void register_volume_remove(CLI::App& group, Context& context) {
  auto options = std::make_shared<RemoveOptions>();
  CLI::App& command = add_command(group, {"rm",
                                          "Remove one or more volumes and all that is in them",
                                          "[flags] VOLUME...",
                                          {"still volume rm data"}});
  command.add_option("VOLUME", options->names, "Names");
  command.add_flag("-a,--all", options->all, "All volumes");
  command.add_flag("-f,--force", options->force,
                   "A volume that containers use, too; a missing one is no error");
  on_run(command, context, [&context, options] { return run_remove(context, *options); });
}

bool confirmed() {
  std::cout << "WARNING! This will remove all volumes not used by at least one container.\n"
               "Are you sure you want to continue? [y/N] "
            << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

int run_prune(Context& context, bool force) {
  if (!force && !confirmed()) return 0;
  std::vector<std::string> unused;
  for (const auto& volume : filtered(context, {"dangling=true"})) unused.push_back(volume.name);
  return for_each_name(unused, [&](const std::string& name) {
    volumes(context).remove(name, false);
    std::cout << name << "\n";
  });
}

void register_volume_prune(CLI::App& group, Context& context) {
  auto force = std::make_shared<bool>(false);
  CLI::App& command = add_command(
      group,
      {"prune", "Remove all volumes that no container uses", "[flags]", {"still volume prune"}});
  command.add_flag("-f,--force", *force, "Do not ask");
  on_run(command, context, [&context, force] { return run_prune(context, *force); });
}

void register_volume_exists(CLI::App& group, Context& context) {
  auto name = std::make_shared<std::string>();
  CLI::App& command =
      add_command(group, {"exists",
                          "Tell by the exit code (0 or 1) if a volume exists",
                          "VOLUME",
                          {"still volume exists data || still volume create data"}});
  command.add_option("VOLUME", *name, "Name")->required();
  on_run(command, context, [&context, name] { return context.store().volume(*name) ? 0 : 1; });
}

}  // namespace

void register_volume(CLI::App& parent, Context& context) {
  CLI::App& group = add_group(parent, "volume", "Manage volumes");
  register_volume_create(group, context);
  register_volume_list(group, context);
  register_inspect(group, context, "volume");
  register_volume_remove(group, context);
  register_volume_prune(group, context);
  register_volume_exists(group, context);
}

}  // namespace still::cli
