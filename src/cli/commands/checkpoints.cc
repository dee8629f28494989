// still checkpoints ls, inspect, rm: what the store has. A group of its own: the words after
// "checkpoint" are containers, and one may be named "ls".
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "cli/app.h"
#include "cli/flags/selection.h"
#include "cli/output/kept_view.h"
#include "engine/container/container.h"

namespace still::cli {
namespace {

using engine::KeptCheckpoint;
using store::ContainerRecord;

// "web/live", or "web" for all that it has.
struct Reference {
  std::string container;
  std::string kind;  // empty: any
};

Reference parse_reference(const std::string& text) {
  const size_t slash = text.rfind('/');
  if (slash == std::string::npos) return {text, ""};
  return {text.substr(0, slash), text.substr(slash + 1)};
}

Error no_such_checkpoint(const std::string& text) {
  return {ErrorKind::kNotFound, "no such checkpoint: " + printable(text),
          "still checkpoints ls shows those in the store; archives are files of yours"};
}

// Throws Error(kNotFound) if there is none.
std::vector<KeptCheckpoint> find_kept(const store::Layout& layout, const ContainerRecord& container,
                                      const std::string& text) {
  const std::string kind = parse_reference(text).kind;
  auto found = engine::kept_checkpoints(layout, container);
  std::erase_if(found, [&](const KeptCheckpoint& kept) {
    return !kind.empty() && kind != to_string(kept.kind);
  });
  if (found.empty()) throw no_such_checkpoint(text);
  return found;
}

// --- ls ---

struct ListFlags {
  std::vector<std::string> containers;
  bool quiet = false;
  bool full = false;
  ListOptions list;
};

ListFormat list_format() {
  return {
      "table {{.Name}}\t{{.ContainerID}}\t{{.Created}}\t{{.Size}}\t{{.Pause}}\t{{.Certified}}\t"
      "{{.MemoryCut}}",
      {{"ContainerID", "CONTAINER ID"}, {"MemoryCut", "MEMORY CUT"}},
      list_entry({}, {}, true).fields};
}

std::vector<ContainerRecord> containers_to_list(Context& context, const ListFlags& flags) {
  if (flags.containers.empty()) return context.store().containers();
  std::vector<ContainerRecord> records;
  for (const std::string& name : flags.containers) {
    records.push_back(context.store().find_container(name));
  }
  return records;
}

int run_list(Context& context, ListFlags flags) {
  if (flags.quiet) flags.list.format = "{{.Name}}";
  std::vector<ListEntry> entries;
  for (const ContainerRecord& container : containers_to_list(context, flags)) {
    for (const KeptCheckpoint& kept : engine::kept_checkpoints(context.layout(), container)) {
      entries.push_back(list_entry(container, kept, flags.full));
    }
  }
  std::cout << format_list(entries, list_format(), flags.list);
  return 0;
}

void register_list(CLI::App& group, Context& context) {
  auto flags = std::make_shared<ListFlags>();
  CLI::App& command =
      add_command(group, {"ls",
                          "List the checkpoints in the store",
                          "[flags] [CONTAINER...]",
                          {"still checkpoints ls", "still checkpoints ls --format json web"}});
  command.alias("list");
  command.add_option("CONTAINER", flags->containers, "Only those of these containers");
  command.add_flag("-q,--quiet", flags->quiet, "Print names only");
  command.add_flag("--no-trunc", flags->full, "Print whole ids");
  command.add_flag("-n,--noheading", flags->list.no_heading, "Print no line of headers");
  add_value(command, "--format", flags->list.format, "Print as JSON or by a Go template",
            "json|TEMPLATE");
  on_run(command, context, [&context, flags] { return run_list(context, *flags); });
}

// --- inspect ---

struct InspectFlags {
  std::vector<std::string> names;
  std::string format = "json";
};

Json inspect_all(Context& context, const std::string& name) {
  const auto container = context.store().find_container(parse_reference(name).container);
  Json found = Json::array();
  for (const KeptCheckpoint& kept : find_kept(context.layout(), container, name)) {
    found.push_back(inspect_checkpoint(container, kept));
  }
  return found;
}

// What was found is printed even if something else was not.
int run_inspect(Context& context, const InspectFlags& flags) {
  Json found = Json::array();
  const int code = for_each_name(flags.names, [&](const std::string& name) {
    for (Json& one : inspect_all(context, name)) found.push_back(std::move(one));
  });
  if (flags.format == "json") {
    std::cout << pretty(found);
  } else {
    for (const Json& one : found) std::cout << format_object(one, flags.format);
  }
  return code;
}

void register_inspect(CLI::App& group, Context& context) {
  auto flags = std::make_shared<InspectFlags>();
  CLI::App& command = add_command(group, {"inspect",
                                          "Print all about checkpoints in the store",
                                          "[flags] CHECKPOINT...",
                                          {"still checkpoints inspect web/live"}});
  command
      .add_option("CHECKPOINT", flags->names, "Names as ls shows them, or of containers: all of it")
      ->required();
  command
      .add_option("-f,--format", flags->format, "Print as JSON or by a Go template (default json)")
      ->option_text("json|TEMPLATE");
  on_run(command, context, [&context, flags] { return run_inspect(context, *flags); });
}

// --- rm ---

struct RemoveFlags {
  std::vector<std::string> names;
  bool all = false;
  bool force = false;
};

// The container is locked: it may be restored from them at this moment.
void remove_kept(Context& context, const std::string& name) {
  auto container = engine::Container::open(context.host(), parse_reference(name).container);
  for (const KeptCheckpoint& kept : find_kept(context.layout(), container.record(), name)) {
    container.discard_checkpoint(kept.kind);
    std::cout << name_of(container.record(), kept.kind) << "\n";
  }
}

std::vector<std::string> names_to_remove(Context& context, const RemoveFlags& flags) {
  if (flags.all == !flags.names.empty()) {
    throw Error(ErrorKind::kUsage, "name the checkpoints to remove, or use --all",
                "see 'still checkpoints rm --help'");
  }
  if (!flags.all) return flags.names;
  std::vector<std::string> names;
  for (const ContainerRecord& container : context.store().containers()) {
    for (const KeptCheckpoint& kept : engine::kept_checkpoints(context.layout(), container)) {
      names.push_back(name_of(container, kept.kind));
    }
  }
  return names;
}

int run_remove(Context& context, const RemoveFlags& flags) {
  return for_each_name(names_to_remove(context, flags), [&](const std::string& name) {
    try {
      remove_kept(context, name);
    } catch (const Error& error) {
      if (!flags.force || error.kind() != ErrorKind::kNotFound) throw;
    }
  });
}

void register_remove(CLI::App& group, Context& context) {
  auto flags = std::make_shared<RemoveFlags>();
  CLI::App& command =
      add_command(group, {"rm",
                          "Remove checkpoints from the store; their containers stay",
                          "[flags] CHECKPOINT...",
                          {"still checkpoints rm web/live", "still checkpoints rm web other"}});
  add_no_wait_flag(command);
  command.add_option("CHECKPOINT", flags->names,
                     "Names as ls shows them, or of containers: all of it");
  command.add_flag("-a,--all", flags->all, "All checkpoints in the store");
  command.add_flag("-f,--force", flags->force, "A missing one is no error");
  on_run(command, context, [&context, flags] { return run_remove(context, *flags); });
}

}  // namespace

void register_checkpoints(CLI::App& parent, Context& context) {
  CLI::App& group = add_group(parent, "checkpoints", "Manage the checkpoints in the store");
  register_list(group, context);
  register_inspect(group, context);
  register_remove(group, context);
}

}  // namespace still::cli
