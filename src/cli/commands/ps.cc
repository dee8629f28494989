// still ps, still container ls
#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "cli/app.h"
#include "cli/flags/engine_flags.h"
#include "cli/flags/filters.h"
#include "cli/output/container_view.h"
#include "cli/output/output.h"

namespace still::cli {
namespace {

struct PsOptions {
  bool all = false;
  bool latest = false;
  bool quiet = false;
  bool full = false;
  int last = -1;
  std::vector<std::string> filters;
  ListOptions list;
  EngineFlags engine{.engine = "still"};
};

ListFormat ps_format(bool full) {
  return {
      "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.CreatedHuman}}\t{{.Status}}\t{{.Ports}}\t"
      "{{.Names}}",
      {{"ID", "CONTAINER ID"}, {"CreatedHuman", "CREATED"}, {"RunningFor", "CREATED"}},
      list_entry({}, full).fields};
}

void check(const PsOptions& options) {
  if (options.latest && options.last >= 0) {
    throw Error(ErrorKind::kUsage, "--last and --latest are mutually exclusive");
  }
  if (options.quiet && options.list.format) {
    throw Error(ErrorKind::kUsage, "--quiet and --format cannot be used together");
  }
}

// Podman lists what runs, unless something else was asked for.
bool shows_all_states(const PsOptions& options) {
  const bool by_status = std::ranges::any_of(
      options.filters, [](const std::string& filter) { return filter.starts_with("status="); });
  return options.all || options.latest || options.last >= 0 || by_status;
}

void keep_last(std::vector<store::ContainerRecord>& records, const PsOptions& options) {
  if (!options.latest && options.last < 0) return;
  const size_t count = options.latest ? 1 : static_cast<size_t>(options.last);
  if (records.size() > count)
    records.erase(records.begin(), records.end() - static_cast<ptrdiff_t>(count));
}

std::vector<ListEntry> entries_of(Context& context, const PsOptions& options) {
  const auto filter = container_filter(options.filters);
  const ContainerViewer viewer(context.host());
  auto records = context.store().containers();
  keep_last(records, options);
  std::vector<ListEntry> entries;
  for (auto& record : records) {
    const auto container = viewer.view(std::move(record));
    const bool runs = container.record.status == store::ContainerStatus::kRunning;
    if (!(runs || shows_all_states(options)) || !filter(container)) continue;
    entries.push_back(list_entry(container, options.full));
  }
  return entries;
}

// Of a container of any engine; keys as of Still's own.
ListEntry entry_of(const subject::Listed& container, bool full) {
  constexpr size_t kShortId = 12;
  Json json = {{"Engine", container.engine}, {"Id", container.id},
               {"Image", container.image},   {"Names", Json::array({container.name})},
               {"State", container.status},  {"Command", container.command}};
  Json fields = json;
  fields["ID"] = full ? container.id : container.id.substr(0, kShortId);
  fields["Names"] = container.name;
  fields["Command"] = full ? container.command : printable_name(container.command);
  return {.json = std::move(json), .fields = std::move(fields)};
}

ListFormat all_engines_format() {
  return {"table {{.ID}}\t{{.Engine}}\t{{.Image}}\t{{.Command}}\t{{.State}}\t{{.Names}}",
          {{"ID", "CONTAINER ID"}},
          entry_of({}, true).fields};
}

// What could be checkpointed: those that run or are paused.
int run_ps_of_engines(Context& context, const PsOptions& options,
                      sources::EngineSettings settings) {
  if (shows_all_states(options) || !options.filters.empty()) {
    throw Error(ErrorKind::kUsage,
                "with --engine those that run are listed, and no others can be asked for",
                "leave --all, --latest, --last and --filter out, or --engine");
  }
  if (settings.engine == "all") settings.engine = "auto";
  std::vector<ListEntry> entries;
  for (const auto& container : sources::Engines(context.host(), settings).running()) {
    entries.push_back(entry_of(container, options.full));
  }
  std::cout << format_list(entries, all_engines_format(), options.list);
  return 0;
}

int run_ps(Context& context, PsOptions options) {
  check(options);
  if (options.quiet) options.list.format = "{{.ID}}";
  const auto settings = options.engine.settings();
  if (settings.engine != "still") return run_ps_of_engines(context, options, settings);
  const auto entries = entries_of(context, options);
  std::cout << format_list(entries, ps_format(options.full), options.list);
  return 0;
}

}  // namespace

CLI::App* register_ps(CLI::App& parent, Context& context, const std::string& name) {
  auto options = std::make_shared<PsOptions>();
  CLI::App& command = add_command(
      parent, {name,
               "List containers",
               "[flags]",
               {"still ps --all", "still ps --all --filter status=exited --format json",
                "still ps --format '{{.ID}} {{.Names}} {{.Status}}'", "still ps --engine all"}});
  command.add_flag("-a,--all", options->all, "Containers of every state, not just running ones");
  command.add_flag("-l,--latest", options->latest, "Only the container created last");
  command.add_option("-n,--last", options->last, "Only this many that were created last")
      ->option_text("NUMBER");
  command.add_flag("-q,--quiet", options->quiet, "Print ids only");
  command.add_flag("--no-trunc", options->full, "Print whole ids and commands");
  command.add_flag("--noheading", options->list.no_heading, "Print no line of headers");
  add_value(command, "--format", options->list.format, "Print as JSON or by a Go template",
            "json|TEMPLATE");
  add_list(command, "-f,--filter", options->filters, "Only containers that fit", "KEY=VALUE");
  add_engine_flags(command, options->engine, "Whose containers (default still)", "all");
  on_run(command, context, [&context, options] { return run_ps(context, *options); });
  return &command;
}

}  // namespace still::cli
