// still info, still version
#include <sys/utsname.h>
#include <unistd.h>

#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "cli/app.h"
#include "cli/output/output.h"
#include "cli/output/yaml.h"
#include "criu/criu.h"
#include "engine/container/container.h"
#include "memory/self_test.h"
#include "oci/runtime.h"
#include "os/files.h"
#include "os/process.h"

namespace still::cli {
namespace {

// A part that is missing or broken is worth showing, not failing for.
template <typename Ask>
std::string answer(const Ask& ask) try {
  return ask();
} catch (const Error& error) {
  return error.message();
}

std::string path_of(const std::string& program) {
  const auto path = find_program(program);
  return path ? path->string() : "";
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

Json program_json(const std::string& program) {
  Json json;
  json["path"] = path_of(program);
  json["version"] = json["path"].empty()
                        ? ""
                        : answer([&] { return first_line(run_checked({{program, "--version"}})); });
  return json;
}

Json runtime_json(Context& context, const std::string& name) {
  Json json;
  json["name"] = name;
  json["path"] = path_of(name);
  json["version"] = json["path"].empty() ? "" : answer([&] {
    return oci::OciRuntime::open(name, context.layout().runtime_state(name), false)->version();
  });
  return json;
}

Json criu_json(Context& context) {
  Json json;
  json["path"] = path_of("criu");
  json["version"] = answer(criu::criu_version);
  memory::MemoryCut cut;
  cut.reason = answer([&] {
    cut = memory::find_memory_cut(context.layout().runroot);
    return cut.reason;
  });
  json["forkCut"] = {{"works", cut.skeleton.has_value()},
                     {"skeleton", cut.skeleton ? memory::to_string(*cut.skeleton) : ""},
                     {"reason", cut.reason}};
  json["protectCut"] = {{"works", cut.protection.has_value()},
                        {"reason", cut.protects_not_because}};
  return json;
}

// A pure unified hierarchy has its controllers in the root; hybrid systems count as v1.
std::string cgroup_version() {
  return path_exists("/sys/fs/cgroup/cgroup.controllers") ? "v2" : "v1";
}

Json host_json(Context& context) {
  utsname kernel{};
  ::uname(&kernel);
  Json host;
  host["arch"] = kernel.machine;
  host["kernel"] = kernel.release;
  host["hostname"] = kernel.nodename;
  host["os"] = "linux";
  host["cpus"] = ::sysconf(_SC_NPROCESSORS_ONLN);
  host["cgroupVersion"] = cgroup_version();
  host["cgroupManager"] = "cgroupfs";
  host["logDriver"] = "k8s-file";
  host["conmon"] = program_json("conmon");
  host["criu"] = criu_json(context);
  host["ociRuntime"] = runtime_json(context, engine::ContainerConfig{}.runtime);
  host["ociRuntimes"] = Json::array({runtime_json(context, "crun"), runtime_json(context, "runc")});
  return host;
}

Json count_containers(Context& context) {
  int64_t running = 0;
  int64_t paused = 0;
  const auto records = context.store().containers();
  for (const auto& record : records) {
    const auto status = engine::current(context.layout(), record).status;
    running += status == store::ContainerStatus::kRunning ? 1 : 0;
    paused += status == store::ContainerStatus::kPaused ? 1 : 0;
  }
  Json json;
  json["number"] = records.size();
  json["paused"] = paused;
  json["running"] = running;
  json["stopped"] = static_cast<int64_t>(records.size()) - running - paused;
  return json;
}

Json store_json(Context& context) {
  Json json;
  json["containerStore"] = count_containers(context);
  json["imageStore"] = {{"number", context.store().images().size()}};
  json["graphDriverName"] = "overlay";
  json["graphRoot"] = context.layout().root.string();
  json["runRoot"] = context.layout().runroot.string();
  json["volumePath"] = context.layout().volumes().string();
  return json;
}

Json version_json() {
  utsname kernel{};
  ::uname(&kernel);
  Json json;
  json["Version"] = STILL_VERSION;
  json["Os"] = "linux";
  json["OsArch"] = std::string("linux/") + kernel.machine;
  return json;
}

int run_info(Context& context, const std::optional<std::string>& format) {
  Json info;
  info["host"] = host_json(context);
  info["store"] = store_json(context);
  info["version"] = version_json();
  std::cout << (format ? format_object(info, *format) : to_yaml(info));
  return 0;
}

int run_version(const std::optional<std::string>& format) {
  const Json version = version_json();
  if (format) {
    std::cout << format_object(Json{{"Client", version}}, *format);
  } else {
    std::cout << "Client:       Still\nVersion:      " << version["Version"].get<std::string>()
              << "\nOS/Arch:      " << version["OsArch"].get<std::string>() << "\n";
  }
  return 0;
}

}  // namespace

void register_info(CLI::App& parent, Context& context) {
  auto format = std::make_shared<std::optional<std::string>>();
  CLI::App& command = add_command(parent, {"info",
                                           "Print what Still runs on and where it keeps things",
                                           "[flags]",
                                           {"still info", "still info --format json",
                                            "still info --format '{{.host.cgroupVersion}}'"}});
  add_value(command, "-f,--format", *format, "Print as JSON or by a Go template", "json|TEMPLATE");
  on_run(command, context, [&context, format] { return run_info(context, *format); });
}

void register_version(CLI::App& parent, Context& context) {
  auto format = std::make_shared<std::optional<std::string>>();
  CLI::App& command =
      add_command(parent, {"version",
                           "Print the version",
                           "[flags]",
                           {"still version", "still version --format '{{.Client.Version}}'"}});
  add_value(command, "-f,--format", *format, "Print as JSON or by a Go template", "json|TEMPLATE");
  on_run(command, context, [format] { return run_version(*format); });
}

}  // namespace still::cli
