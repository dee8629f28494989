#include "cli/app.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "cli/flags/unsupported.h"
#include "cli/help.h"
#include "cli/undo.h"
#include "journal/recovery.h"

namespace still::cli {
namespace {

// "still container ps"
std::string full_name(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return parent == nullptr ? command.get_name() : full_name(*parent) + " " + command.get_name();
}

std::string usage_line(const CLI::App& command, const std::string& synopsis) {
  const std::string line = "\nUsage: " + full_name(command);
  return synopsis.empty() ? line : line + " " + synopsis;
}

std::string examples_text(const std::vector<std::string>& examples) {
  std::string text = "Examples:";
  for (const std::string& example : examples) text += "\n  " + example;
  return text;
}

// The command at which the parser stopped: the first on the way with words left that it does not
// know, else the last.
const CLI::App* where_parsing_ended(const CLI::App* app) {
  const auto commands = app->get_subcommands();
  if (commands.empty() || !app->remaining().empty()) return app;
  return where_parsing_ended(commands.front());
}

std::vector<std::string> names_of_commands(const CLI::App& parent) {
  std::vector<std::string> names;
  for (const CLI::App* command : parent.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) names.push_back(command->get_name());
  }
  return names;
}

std::vector<std::string> names_of_flags(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

Error unexpected_word(const CLI::App& command, const std::string& word) {
  const std::string name = full_name(command);
  const std::string see = "see '" + name + " --help'";
  if (is_flag(word)) {
    const std::string flag = word.substr(0, word.find('='));
    return unknown_flag(word, nearest_word(flag, names_of_flags(command)), see);
  }
  if (command.get_require_subcommand_min() > 0) {
    return Error(ErrorKind::kUsage, "unrecognized command '" + name + " " + printable(word) + "'",
                 did_you_mean(nearest_word(word, names_of_commands(command)), see));
  }
  return Error(ErrorKind::kUsage, "unexpected argument \"" + printable(word) + "\"", see);
}

Error usage_error(const CLI::App& app, const CLI::ParseError& problem) {
  const CLI::App& command = *where_parsing_ended(&app);
  const auto extra = command.remaining();
  if (!extra.empty()) return unexpected_word(command, extra.front());
  const std::string name = full_name(command);
  const std::string see = "see '" + name + " --help'";
  if (command.get_require_subcommand_min() > 0) {
    return Error(ErrorKind::kUsage, "missing command '" + name + " COMMAND'", see);
  }
  return Error(ErrorKind::kUsage, printable(problem.what()), see);
}

int parse_and_run(CLI::App& app, Context& context, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::ParseError& problem) {
    throw usage_error(app, problem);
  }
  const int code = context.command();
  std::cout.flush();
  if (!std::cout) throw Error(ErrorKind::kSystem, "cannot write to standard output");
  return code;
}

}  // namespace

struct Context::OpenStore {
  explicit OpenStore(const store::Layout& layout)
      : store(layout.root), host{.layout = layout, .store = store, .undoers = undoers} {
    register_undo(undoers);
  }
  journal::Undoers undoers;
  store::Store store;
  journal::Host host;
};

Context::Context() = default;
Context::~Context() = default;

const store::Layout& Context::layout() {
  if (!layout_) {
    if (::geteuid() != 0) {
      throw Error(ErrorKind::kUsage, "still works with containers and needs to be root",
                  "call it as root, or by sudo");
    }
    layout_ = store::Layout::resolve(root, runroot);
    layout_->create();
  }
  return *layout_;
}

const journal::Host& Context::host() {
  if (!open_store_) {
    open_store_ = std::make_unique<OpenStore>(layout());
    journal::undo_interrupted_operations(open_store_->host);
  }
  return open_store_->host;
}

bool is_flag(std::string_view word) { return word.size() > 1 && word.front() == '-'; }

const CLI::App* find_command(const CLI::App& parent, const std::string& word) {
  const auto named =
      parent.get_subcommands([&word](const CLI::App* below) { return below->check_name(word); });
  return named.empty() ? nullptr : named.front();
}

CLI::App& add_command(CLI::App& parent, const CommandText& text) {
  CLI::App& command = *parent.add_subcommand(text.name, text.description);
  command.group("Commands");
  command.usage(usage_line(command, text.synopsis));
  if (!text.examples.empty()) command.footer(examples_text(text.examples));
  return command;
}

CLI::App& add_group(CLI::App& parent, const std::string& name, const std::string& description) {
  CLI::App& group = add_command(parent, {name, description, "COMMAND", {}});
  group.require_subcommand(1);
  return group;
}

void on_run(CLI::App& command, Context& context, std::function<int()> action) {
  command.callback([&context, action = std::move(action)] { context.command = action; });
}

CLI::Option* add_list(CLI::App& command, const std::string& names, std::vector<std::string>& values,
                      const std::string& description, const std::string& value_name) {
  return command.add_option(names, values, description)
      ->allow_extra_args(false)
      ->option_text(value_name);
}

CLI::Option* add_value(CLI::App& command, const std::string& names,
                       std::optional<std::string>& value, const std::string& description,
                       const std::string& value_name) {
  return command.add_option(names, value, description)->option_text(value_name);
}

void stop_at_first_word(CLI::App& command) {
  command.prefix_command();
  // CLI11 gives the words after "--" to the parent of a command without a positional of its own.
  // This one takes none of them.
  command.validate_positionals();
  command.add_option_function<std::string>("WORD", [](const std::string&) {})
      ->group("")
      ->check([](const std::string&) { return std::string("no word is for this"); });
}

std::vector<std::string> rest_of_line(const CLI::App& command) {
  auto words = command.remaining();
  if (!words.empty() && words.front() == "--") {
    words.erase(words.begin());
  } else if (!words.empty() && is_flag(words.front())) {
    throw unexpected_word(command, words.front());
  }
  return words;
}

std::unique_ptr<CLI::App> make_app(Context& context) {
  auto app = std::make_unique<CLI::App>("Consistent live checkpoints of running Linux containers",
                                        "still");
  app->set_help_flag("-h,--help", "Print this help and exit");
  app->set_version_flag("-v,--version", "still version " STILL_VERSION);
  app->usage("\nUsage: still [flags] COMMAND");
  app->require_subcommand(1);
  const auto formatter = std::make_shared<HelpFormatter>();
  formatter->label("Positionals", "Arguments");
  app->formatter(formatter);
  app->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app->add_option("--root", context.root,
                  "Where containers, volumes and images are kept (default /var/lib/still)")
      ->option_text("DIR");
  app->add_option("--runroot", context.runroot,
                  "Where the state of this boot is kept (default /run/still)")
      ->option_text("DIR");
  app->add_option_function<std::string>(
         "--log-level", [](const std::string& name) { set_log_level(parse_log_level(name)); },
         "Print messages of this importance and above (default warn)")
      ->option_text("error|warn|info|debug");
  register_commands(*app, context);
  return app;
}

int report(const Error& error) {
  log(LogLevel::kError,
      error.hint().empty() ? error.message() : error.message() + "; " + error.hint());
  return exit_code(error);
}

int run_program(int argc, const char* const* argv) try {
  Context context;
  const auto app = make_app(context);
  return parse_and_run(*app, context, argc, argv);
} catch (const Error& error) {
  return report(error);
} catch (const std::filesystem::filesystem_error& error) {
  // A path of the user's that the system refuses: too long, a loop of links.
  return report(Error::system(error.code().value(), printable(error.path1().native())));
} catch (const std::exception& bug) {
  return report(
      Error(ErrorKind::kInternal, bug.what(), "this is a bug in still, please report it"));
}

}  // namespace still::cli
