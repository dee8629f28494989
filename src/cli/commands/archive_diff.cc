// still archive diff
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "base/format.h"
#include "base/text.h"
#include "cli/app.h"
#include "cli/flags/archive_flags.h"
#include "cli/output/human.h"
#include "cli/output/output.h"
#include "cli/output/table.h"
#include "contents/comparison.h"
#include "criu/memory_images.h"

namespace still::cli {
namespace {

using contents::Change;
using contents::Comparison;

struct DiffFlags {
  std::string before;
  std::string after;
  std::string identity;
  std::optional<std::string> format;
};

const char* change_name(Change change) {
  switch (change) {
    case Change::kNone:
      return "same";
    case Change::kAdded:
      return "added";
    case Change::kRemoved:
      return "removed";
  }
  return "";
}

std::string shown_path(const std::string& path) { return path.empty() ? "." : printable(path); }

Json paths_json(const std::vector<std::string>& paths) {
  Json list = Json::array();
  for (const std::string& path : paths) list.push_back(shown_path(path));
  return list;
}

Json description(const Comparison& comparison) {
  Json json;
  json["Processes"] = Json::array();
  for (const auto& process : comparison.processes) {
    json["Processes"].push_back({{"PID", process.pid},
                                 {"Name", printable(process.name)},
                                 {"Command", command_text(process.name, process.command_line)},
                                 {"Change", change_name(process.change)},
                                 {"EqualPages", process.equal_pages},
                                 {"DifferingPages", process.differing_pages}});
  }
  json["SharedMemory"] = Json::array();
  for (const auto& memory : comparison.shared_memory) {
    json["SharedMemory"].push_back({{"Number", memory.number},
                                    {"Change", change_name(memory.change)},
                                    {"EqualPages", memory.equal_pages},
                                    {"DifferingPages", memory.differing_pages}});
  }
  json["Trees"] = Json::array();
  for (const auto& tree : comparison.trees) {
    json["Trees"].push_back({{"Member", printable(tree.member)},
                             {"Added", paths_json(tree.added)},
                             {"Changed", paths_json(tree.changed)},
                             {"Removed", paths_json(tree.removed)}});
  }
  return json;
}

// "12 of 400 pages (48.0KiB)"
std::string pages_text(uint64_t differing, uint64_t equal) {
  return formatted("{} of {} pages ({})", differing, differing + equal,
                   human_size(differing * criu::kPageSize));
}

void print_processes(const Comparison& comparison) {
  std::vector<Row> rows{{"PID", "PROCESS", "MEMORY THAT DIFFERS", "COMMAND"}};
  for (const auto& process : comparison.processes) {
    const bool is_same = process.change == Change::kNone;
    rows.push_back(
        {formatted("{}", process.pid), change_name(process.change),
         is_same ? pages_text(process.differing_pages, process.equal_pages) : std::string("all"),
         command_text(process.name, process.command_line)});
  }
  std::cout << "Processes\n" << format_table(rows);
  for (const auto& memory : comparison.shared_memory) {
    std::cout << formatted("Shared memory {}: {}, {} differ\n", memory.number,
                           change_name(memory.change),
                           pages_text(memory.differing_pages, memory.equal_pages));
  }
}

void print_paths(char letter, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) std::cout << letter << ' ' << shown_path(path) << '\n';
}

// As Podman's diff prints them.
void print_trees(const Comparison& comparison) {
  for (const auto& tree : comparison.trees) {
    std::cout << formatted("\n{}: {} added, {} changed, {} removed\n", printable_name(tree.member),
                           tree.added.size(), tree.changed.size(), tree.removed.size());
    print_paths('A', tree.added);
    print_paths('C', tree.changed);
    print_paths('D', tree.removed);
  }
}

int run_diff(const DiffFlags& flags) {
  const Comparison comparison = [&] {
    ProgressLine progress;
    return contents::compare_archives(flags.before, flags.after,
                                      archive_options(flags.identity, progress));
  }();
  if (flags.format) {
    std::cout << format_object(description(comparison), *flags.format);
    return 0;
  }
  print_processes(comparison);
  print_trees(comparison);
  return 0;
}

}  // namespace

void register_archive_diff(CLI::App& parent, Context& context) {
  auto flags = std::make_shared<DiffFlags>();
  CLI::App& command =
      add_command(parent, {"diff",
                           "Show what differs between two archives: processes, memory, files",
                           "[flags] BEFORE AFTER",
                           {"still archive diff monday.tar.zst tuesday.tar.zst",
                            "still archive diff --format json monday.tar.zst tuesday.tar.zst",
                            "still archive diff --identity key.txt monday.age tuesday.age"}});
  command.add_option("BEFORE", flags->before, "The earlier archive")->required();
  command.add_option("AFTER", flags->after, "The later one")->required();
  add_identity_flag(command, flags->identity);
  add_value(command, "-f,--format", flags->format, "Print as JSON or by a Go template",
            "json|TEMPLATE");
  on_run(command, context, [flags] { return run_diff(*flags); });
}

}  // namespace still::cli
