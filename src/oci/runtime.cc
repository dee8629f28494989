#include "oci/runtime.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "oci/crun_runtime.h"
#include "oci/runc_runtime.h"
#include "os/files.h"

namespace still::oci {
namespace {

using Arguments = std::vector<std::string>;

std::string ask_version(const std::filesystem::path& program) {
  return split(run_checked({.arguments = {program.native(), "--version"}}), '\n').front();
}

// "crun" of "crun version 1.21".
std::string identify(const std::filesystem::path& program) {
  std::string file_name = program.filename();
  if (file_name == "crun" || file_name == "runc") return file_name;
  return split(ask_version(program), ' ').front();
}

void append(Arguments& arguments, const Arguments& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
}

void append_flag(Arguments& arguments, bool wanted, const char* flag) {
  if (wanted) arguments.emplace_back(flag);
}

// The quoted text that begins with the first character, quotes and all.
std::string_view leading_quotation(std::string_view text) {
  size_t end = 1;
  while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
  return text.substr(0, end + 1);
}

// The value of msg="..." in a line of runc's log, its escapes decoded; the whole line if there is
// none.
std::string message_of(const std::string& line) {
  constexpr std::string_view kKey = " msg=\"";
  const size_t key = line.find(kKey);
  if (!line.starts_with("time=") || key == std::string::npos) return line;
  const auto quoted = leading_quotation(std::string_view(line).substr(key + kKey.size() - 1));
  const auto text = nlohmann::json::parse(quoted, nullptr, false);
  return text.is_string() ? text.get<std::string>() : line;
}

RuntimeState parse_state(const std::string& output) {
  const auto json = nlohmann::json::parse(output, nullptr, false);
  if (!json.is_object() || !json.contains("status") || !json["status"].is_string()) {
    throw Error(ErrorKind::kRuntime, "the runtime's answer to \"state\" is not understood");
  }
  RuntimeState state{.status = json["status"], .bundle = json.value("bundle", "")};
  if (state.status != "stopped") state.pid = json.value("pid", 0);
  return state;
}

}  // namespace

std::unique_ptr<OciRuntime> OciRuntime::open(const std::string& name,
                                             const std::filesystem::path& state_root,
                                             bool no_cgroups) {
  const auto program = find_program(name);
  if (!program) {
    throw Error(ErrorKind::kNotFound, "there is no OCI runtime \"" + printable(name) + "\"",
                "install crun or runc, or name one with --runtime");
  }
  const std::string kind = identify(*program);
  if (kind == "crun") return std::make_unique<CrunRuntime>(*program, state_root, no_cgroups);
  if (kind != "runc") {
    throw Error(ErrorKind::kUnsupported,
                "\"" + printable(name) + "\" is not a runtime that Still knows",
                "use crun or runc");
  }
  if (no_cgroups) {
    throw Error(ErrorKind::kUnsupported, "runc cannot run containers without cgroups", "use crun");
  }
  return std::make_unique<RuncRuntime>(*program, state_root);
}

std::string OciRuntime::version() const {
  if (version_.empty()) {
    const std::string line = ask_version(program_);
    version_ = line.substr(line.rfind(' ') + 1);
  }
  return version_;
}

std::vector<std::string> OciRuntime::restore_arguments(const RestoreOptions& options) const {
  Arguments arguments = {"--work-path=" + options.work_directory.native()};
  append_flag(arguments, options.tcp_established, "--tcp-established");
  append_flag(arguments, options.file_locks, "--file-locks");
  return arguments;
}

std::map<std::string, std::string> OciRuntime::criu_options(
    const CheckpointOptions& options) const {
  std::map<std::string, std::string> result;
  if (!options.leave_running) return result;
  // A client that has just connected is served by the container that runs on, and is none of the
  // copy's.
  result["skip-in-flight"] = "";
  // CRIU keeps packets away from connections while it saves them, and does so by the firewall,
  // which takes it 60 ms and more. Without connections to save nothing is to be kept away.
  if (!options.tcp_established) result["network-lock"] = "skip";
  return result;
}

std::map<std::string, std::string> OciRuntime::criu_options(const RestoreOptions& options) const {
  std::map<std::string, std::string> result;
  if (options.tcp_close) result["tcp-close"] = "";  // neither runtime has a flag for it
  return result;
}

void OciRuntime::start(const std::string& id) const { run({"start", id}); }

void OciRuntime::kill(const std::string& id, int signal, bool all) const {
  Arguments arguments = {"kill"};
  append_flag(arguments, all, "--all");
  append(arguments, {id, std::to_string(signal)});
  try {
    run(arguments);
  } catch (const Error&) {
    if (!has_ended(id)) throw;
  }
}

void OciRuntime::remove(const std::string& id) const {
  try {
    run({"delete", "--force", id});
  } catch (const Error&) {
    if (path_exists(state_root_ / id)) throw;
  }
}

std::optional<RuntimeState> OciRuntime::state(const std::string& id) const {
  if (!path_exists(state_root_ / id)) return std::nullopt;
  const CommandResult result = run_command(command({"state", id}));
  if (result.status.ok()) return parse_state(result.output);
  const std::string message = runtime_message(result.errors);
  // A directory without the file of the state is what an interrupted create or delete leaves.
  if (message.contains("does not exist") || message.contains("No such file or directory")) {
    return std::nullopt;
  }
  throw Error(ErrorKind::kRuntime, name() + " state failed: " + message);
}

Command OciRuntime::checkpoint_command(const std::string& id,
                                       const CheckpointOptions& options) const {
  Arguments arguments = {"checkpoint", "--image-path=" + options.image_directory.native(),
                         "--work-path=" + options.work_directory.native()};
  append_flag(arguments, options.leave_running, "--leave-running");
  append_flag(arguments, options.tcp_established, "--tcp-established");
  append_flag(arguments, options.file_locks, "--file-locks");
  arguments.push_back(id);
  Command result = command(arguments);
  for (const auto& [name, value] : options.environment) result.environment[name] = value;
  if (options.criu_configuration) {
    result.environment["CRIU_CONFIG_FILE"] = options.criu_configuration->native();
  }
  return result;
}

Command OciRuntime::restore_command(const std::string& id, const std::filesystem::path& bundle,
                                    const RestoreOptions& options) const {
  Arguments arguments = {"restore", "--detach", "--bundle=" + bundle.native(),
                         "--image-path=" + options.image_directory.native()};
  append(arguments, restore_arguments(options));
  arguments.push_back(id);
  Command result = command(arguments);
  if (options.criu_configuration) {
    result.environment["CRIU_CONFIG_FILE"] = options.criu_configuration->native();
  }
  return result;
}

void OciRuntime::keep_seccomp(const std::string& /*id*/, std::string_view /*filter*/) const {}

Command OciRuntime::exec_command(const std::string& id, const std::filesystem::path& process_file,
                                 bool tty, bool detach,
                                 const std::filesystem::path& pid_file) const {
  Arguments arguments = {"exec", "--process=" + process_file.native()};
  append_flag(arguments, tty, "--tty");
  append_flag(arguments, detach, "--detach");
  if (!pid_file.empty()) arguments.push_back("--pid-file=" + pid_file.native());
  arguments.push_back(id);
  return command(arguments);
}

Command OciRuntime::command(const std::vector<std::string>& arguments) const {
  Command result{.arguments = {program_.native()}};
  append(result.arguments, global_arguments());
  append(result.arguments, arguments);
  return result;
}

std::string OciRuntime::run(const std::vector<std::string>& arguments) const {
  CommandResult result = run_command(command(arguments));
  if (result.status.ok()) return std::move(result.output);
  std::string message = name() + " " + arguments[0] + " failed";
  if (const auto text = runtime_message(result.errors); !text.empty()) message += ": " + text;
  throw Error(ErrorKind::kRuntime, std::move(message));
}

bool OciRuntime::has_ended(const std::string& id) const {
  const auto now = state(id);
  return !now || now->status == "stopped";
}

std::string runtime_message(std::string_view errors) {
  return printable(message_of(last_line(errors)));
}

std::filesystem::path dump_log(const std::filesystem::path& work_directory) {
  return work_directory / "dump.log";
}

std::filesystem::path restore_log(const std::filesystem::path& work_directory) {
  return work_directory / "restore.log";
}

}  // namespace still::oci
