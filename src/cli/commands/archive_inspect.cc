// still archive inspect
#include <algorithm>
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
#include "contents/inspection.h"
#include "os/clock.h"
#include "sources/still/dump_reader.h"

namespace still::cli {
namespace {

using contents::Inspection;

struct InspectFlags {
  std::string file;
  std::string identity;
  std::optional<std::string> format;
};

std::vector<std::string> all_printable(const std::vector<std::string>& texts) {
  std::vector<std::string> result;
  result.reserve(texts.size());
  for (const std::string& text : texts) result.push_back(printable(text));
  return result;
}

// --- as JSON: names and words in printable form, because JSON holds text and they are bytes ---

Json memory_json(const criu::SeenProcess& process) {
  Json memory = Json::object();
  for (const auto& [kind, sum] : process.memory) {
    memory[kind] = {{"Mappings", sum.mappings},
                    {"MappedBytes", sum.mapped_bytes},
                    {"StoredBytes", sum.stored_bytes}};
  }
  return memory;
}

Json descriptors_json(const criu::SeenProcess& process) {
  Json list = Json::array();
  for (const criu::SeenDescriptor& one : process.descriptors) {
    list.push_back({{"Number", one.number}, {"Kind", one.kind}, {"Name", printable(one.name)}});
  }
  return list;
}

criu::MemorySum total(const criu::SeenProcess& process) {
  criu::MemorySum total;
  for (const auto& [kind, sum] : process.memory) total += sum;
  return total;
}

Json process_json(const criu::SeenProcess& process) {
  const criu::MemorySum sum = total(process);
  return {{"PID", process.pid},
          {"Parent", process.parent},
          {"Depth", process.depth},
          {"Name", printable(process.name)},
          {"State", process.state},
          {"Threads", process.threads},
          {"Program", printable(process.program)},
          {"Command", all_printable(process.command_line)},
          {"MappedBytes", sum.mapped_bytes},
          {"StoredBytes", sum.stored_bytes},
          {"Memory", memory_json(process)},
          {"Descriptors", descriptors_json(process)}};
}

Json trees_json(const Inspection& inspection) {
  Json trees = Json::array();
  for (const auto& [member, totals] : inspection.trees) {
    trees.push_back(
        {{"Member", member}, {"Entries", totals.entries}, {"Bytes", totals.content_bytes}});
  }
  return trees;
}

// Of the manifest: null without one, as in Podman's archives.
Json manifest_json(const std::optional<archive::Manifest>& manifest) {
  if (!manifest) return nullptr;
  return {{"Frozen", rfc3339(manifest->frozen.wall)},
          {"Engine", manifest->engine},
          {"Versions", manifest->versions},
          {"Architecture", manifest->architecture},
          {"CgroupVersion", manifest->cgroup_version},
          {"Live", manifest->live},
          {"PauseNanoseconds", manifest->pause.count()},
          {"MemoryCut", manifest->memory_cut},
          {"LeftOut", all_printable(manifest->left_out)}};
}

Json description(const std::string& file, const Inspection& inspection) {
  const auto& manifest = inspection.archive.manifest;
  Json json;
  json["File"] = printable(file);
  json["ContainerID"] = printable(inspection.container.id);
  json["ContainerName"] = printable(inspection.container.name);
  json["Image"] = printable(inspection.image);
  json["Runtime"] = printable(inspection.runtime);
  json["Hostname"] = printable(inspection.hostname);
  json["Made"] = manifest_json(manifest);
  json["Consistent"] = manifest ? Json(manifest->consistent) : Json(nullptr);
  json["Reason"] = manifest ? printable(manifest->inconsistent_because)
                            : "the archive has no manifest that says so";
  json["Members"] = inspection.archive.members;
  json["Size"] = inspection.archive.size_bytes;
  json["SharedBytes"] = inspection.seen.shared_bytes;
  json["Processes"] = Json::array();
  for (const auto& process : inspection.seen.processes) {
    json["Processes"].push_back(process_json(process));
  }
  json["Trees"] = trees_json(inspection);
  json["RemovedPaths"] = inspection.removed_paths;
  json["Demands"] = all_printable(inspection.demands);
  json["HostNetwork"] = inspection.host_network;
  json["Ports"] = all_printable(inspection.ports);
  json["Devices"] = all_printable(inspection.devices);
  json["BindMounts"] = all_printable(inspection.bind_mounts);
  json["TcpConnections"] = inspection.seen.has_tcp_connections;
  json["FileLocks"] = inspection.seen.file_locks;
  return json;
}

// --- for people ---

std::string made_by(const archive::Manifest& manifest) {
  const auto still = manifest.versions.find("still");
  const auto kernel = manifest.versions.find("kernel");
  return formatted("{} by still {}, on Linux {} ({})", rfc3339(manifest.frozen.wall),
                   still == manifest.versions.end() ? "?" : printable(still->second),
                   kernel == manifest.versions.end() ? "?" : printable(kernel->second),
                   printable(manifest.architecture));
}

std::string certificate(const std::optional<archive::Manifest>& manifest) {
  if (!manifest) return "unknown: the archive has no manifest that says so";
  if (manifest->consistent) return "certified";
  return "NOT certified: " + printable(manifest->inconsistent_because);
}

void print_head(const Inspection& inspection) {
  const auto& manifest = inspection.archive.manifest;
  std::vector<Row> rows{
      {"Container:", formatted("{} ({:.12})", printable(inspection.container.name),
                               printable(inspection.container.id))},
      {"Image:", printable(inspection.image)}};
  if (manifest) {
    const std::string kind = manifest->live ? "live" : "stopping";
    rows.push_back({"Made:", made_by(*manifest)});
    rows.push_back({"Checkpoint:", formatted("{}, the container stood still for {}", kind,
                                             human_duration(manifest->pause))});
    rows.push_back({"Engine:", formatted("{}, {}", printable(manifest->engine),
                                         printable(manifest->runtime))});
  }
  rows.push_back({"Consistent:", certificate(manifest)});
  rows.push_back({"Size:", formatted("{} in {} members", human_size(inspection.archive.size_bytes),
                                     inspection.archive.members)});
  std::cout << format_table(rows);
}

void print_processes(const criu::SeenContainer& seen) {
  constexpr uint32_t kDeepest = 20;
  std::vector<Row> rows{{"PID", "STATE", "THREADS", "STORED", "MAPPED", "COMMAND"}};
  for (const criu::SeenProcess& process : seen.processes) {
    const criu::MemorySum sum = total(process);
    const std::string indent(2 * size_t{std::min(process.depth, kDeepest)}, ' ');
    rows.push_back({formatted("{}", process.pid), process.state, formatted("{}", process.threads),
                    human_size(sum.stored_bytes), human_size(sum.mapped_bytes),
                    indent + command_text(process.name, process.command_line)});
  }
  std::cout << "\nProcesses\n" << format_table(rows);
}

// Of all processes together.
void print_memory(const criu::SeenContainer& seen) {
  std::map<std::string, criu::MemorySum> kinds;
  for (const criu::SeenProcess& process : seen.processes) {
    for (const auto& [kind, sum] : process.memory) kinds[kind] += sum;
  }
  std::vector<Row> rows{{"KIND", "MAPPINGS", "STORED", "MAPPED"}};
  for (const auto& [kind, sum] : kinds) {
    rows.push_back({kind, formatted("{}", sum.mappings), human_size(sum.stored_bytes),
                    human_size(sum.mapped_bytes)});
  }
  std::cout << "\nMemory of all processes\n" << format_table(rows);
  if (seen.shared_bytes > 0) {
    std::cout << "Shared memory is stored once: " << human_size(seen.shared_bytes) << "\n";
  }
}

void print_descriptors(const criu::SeenContainer& seen) {
  std::vector<Row> rows{{"PID", "FD", "KIND", "NAME"}};
  for (const criu::SeenProcess& process : seen.processes) {
    for (const criu::SeenDescriptor& one : process.descriptors) {
      rows.push_back({formatted("{}", process.pid), formatted("{}", one.number), one.kind,
                      printable_name(one.name)});
    }
  }
  std::cout << "\nOpen files and sockets\n" << format_table(rows);
}

void print_trees(const Inspection& inspection) {
  std::vector<Row> rows{{"TREE", "ENTRIES", "SIZE"}};
  for (const auto& [member, totals] : inspection.trees) {
    rows.push_back({printable_name(member), formatted("{}", totals.entries),
                    human_size(totals.content_bytes)});
  }
  std::cout << "\nFiles\n" << format_table(rows);
  if (inspection.removed_paths > 0) {
    std::cout << "Removed or replaced in the root file system: " << inspection.removed_paths
              << " paths\n";
  }
}

void print_needs(const Inspection& inspection) {
  std::vector<Row> rows;
  const auto add = [&](const char* what, const std::vector<std::string>& values) {
    for (const std::string& value : values) rows.push_back({what, printable(value)});
  };
  add("flag", inspection.demands);
  if (inspection.seen.has_tcp_connections) {
    rows.push_back({"flag", "--tcp-established or --tcp-close: it has TCP connections"});
  }
  if (inspection.seen.file_locks > 0) {
    rows.push_back({"flag", formatted("--file-locks: it holds {}", inspection.seen.file_locks)});
  }
  if (inspection.host_network) rows.push_back({"network", "of the host"});
  add("port", inspection.ports);
  add("device", inspection.devices);
  std::cout << "\nA restore asks for\n"
            << (rows.empty() ? "nothing beyond the image\n" : format_table(rows));
}

int run_inspect(const InspectFlags& flags) {
  const Inspection inspection = [&] {
    ProgressLine progress;
    return contents::inspect_archive(flags.file, sources::StillDumpReader(),
                                     archive_options(flags.identity, progress));
  }();
  if (flags.format) {
    std::cout << format_object(description(flags.file, inspection), *flags.format);
    return 0;
  }
  print_head(inspection);
  print_processes(inspection.seen);
  print_memory(inspection.seen);
  print_descriptors(inspection.seen);
  print_trees(inspection);
  print_needs(inspection);
  return 0;
}

}  // namespace

void register_archive_inspect(CLI::App& parent, Context& context) {
  auto flags = std::make_shared<InspectFlags>();
  CLI::App& command = add_command(
      parent, {"inspect",
               "Show what an archive holds: processes, memory, files, and what a restore asks for",
               "[flags] FILE",
               {"still archive inspect web.tar.zst",
                "still archive inspect --format '{{.Made.Frozen}}' web.tar.zst",
                "still archive inspect --format json web.tar.zst | jq '.Processes[].Command'"}});
  command.add_option("FILE", flags->file, "Archive")->required();
  add_identity_flag(command, flags->identity);
  add_value(command, "-f,--format", flags->format, "Print as JSON or by a Go template",
            "json|TEMPLATE");
  on_run(command, context, [flags] { return run_inspect(*flags); });
}

}  // namespace still::cli
