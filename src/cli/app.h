// The program as a tree of commands. Each command registers itself under one or more parents
// ("still container ps" and "still ps" are one function called twice).
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "journal/host.h"

namespace still::cli {

// What the global flags say, and the store, opened by the first command that asks for it.
class Context {
 public:
  Context();
  ~Context();

  std::optional<std::string> root;     // --root
  std::optional<std::string> runroot;  // --runroot

  const store::Layout& layout();
  const journal::Host& host();
  store::Store& store() { return host().store; }

  // The command that the command line names; set while parsing, run afterwards.
  std::function<int()> command;

 private:
  // A store with all that was interrupted in it undone.
  struct OpenStore;
  std::optional<store::Layout> layout_;
  std::unique_ptr<OpenStore> open_store_;
};

// How a command presents itself in its --help.
struct CommandText {
  std::string name;
  std::string description;
  std::string synopsis;  // what follows the name: "[flags] CONTAINER..."
  std::vector<std::string> examples;
};

// Whether a word of the command line is a flag ("-" is a file).
bool is_flag(std::string_view word);
// A command below another one by its name or alias; null: there is none.
const CLI::App* find_command(const CLI::App& parent, const std::string& word);

CLI::App& add_command(CLI::App& parent, const CommandText& text);

// A command that only has commands below it: "container", "volume", "image".
CLI::App& add_group(CLI::App& parent, const std::string& name, const std::string& description);

// action runs if the command line names this command, once all of it has been parsed. What it
// returns is the exit code.
void on_run(CLI::App& command, Context& context, std::function<int()> action);

// A flag that takes a value each time it is given. (CLI11's own vector options swallow every word
// up to the next flag, the image name included.)
CLI::Option* add_list(CLI::App& command, const std::string& names, std::vector<std::string>& values,
                      const std::string& description, const std::string& value_name);
CLI::Option* add_value(CLI::App& command, const std::string& names,
                       std::optional<std::string>& value, const std::string& description,
                       const std::string& value_name);

// The words of a command like "run IMAGE COMMAND ARG...": parsing stops at the first word that is
// no flag, so that flags of COMMAND stay COMMAND's.
std::vector<std::string> rest_of_line(const CLI::App& command);
void stop_at_first_word(CLI::App& command);

// Adds every command. In commands.cc.
void register_commands(CLI::App& app, Context& context);

// The whole command line, all commands registered. Name and version of the program are set.
std::unique_ptr<CLI::App> make_app(Context& context);

// Parses and runs; prints errors. Returns the exit code.
int run_program(int argc, const char* const* argv);

// "Error: MESSAGE; HINT" on standard error. Returns the exit code for it.
int report(const Error& error);

// One for each command, in the file of that name.
void register_create(CLI::App& parent, Context& context);
void register_run(CLI::App& parent, Context& context);
void register_start(CLI::App& parent, Context& context);
void register_stop(CLI::App& parent, Context& context);
void register_kill(CLI::App& parent, Context& context);
void register_wait(CLI::App& parent, Context& context);
void register_pause(CLI::App& parent, Context& context);
void register_unpause(CLI::App& parent, Context& context);
void register_rm(CLI::App& parent, Context& context);
void register_exec(CLI::App& parent, Context& context);
void register_logs(CLI::App& parent, Context& context);
CLI::App* register_ps(CLI::App& parent, Context& context, const std::string& name);
void register_inspect(CLI::App& parent, Context& context, const std::string& type);
void register_checkpoint(CLI::App& parent, Context& context);
void register_checkpoints(CLI::App& parent, Context& context);
void register_restore(CLI::App& parent, Context& context);
void register_archive_verify(CLI::App& parent, Context& context);
void register_archive_ls(CLI::App& parent, Context& context);
void register_archive_inspect(CLI::App& parent, Context& context);
void register_archive_diff(CLI::App& parent, Context& context);
void register_archive_cat(CLI::App& parent, Context& context);
void register_archive_extract(CLI::App& parent, Context& context);
void register_container_exists(CLI::App& parent, Context& context);
void register_cleanup(CLI::App& parent, Context& context);
void register_volume(CLI::App& parent, Context& context);
void register_image_import(CLI::App& parent, Context& context);
void register_image_load(CLI::App& parent, Context& context);
CLI::App* register_image_list(CLI::App& parent, Context& context, const std::string& name);
void register_image_rm(CLI::App& parent, Context& context, const std::string& name);
void register_image_exists(CLI::App& parent, Context& context);
void register_info(CLI::App& parent, Context& context);
void register_version(CLI::App& parent, Context& context);
void register_help(CLI::App& app, Context& context);
void register_complete(CLI::App& app, Context& context);

}  // namespace still::cli
