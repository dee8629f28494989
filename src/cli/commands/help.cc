// still help
#include <iostream>

#include "base/text.h"
#include "cli/app.h"

namespace still::cli {
namespace {

int print_help(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* command = &app;
  for (const std::string& word : words) {
    command = find_command(*command, word);
    if (command == nullptr) {
      throw Error(ErrorKind::kUsage,
                  "unrecognized command 'still " + printable(join(words, " ")) + "'",
                  "see 'still --help'");
    }
  }
  // App::help() would print that of the command that was named: this one.
  std::cout << command->get_formatter()->make_help(command, "", CLI::AppFormatMode::Normal);
  return 0;
}

}  // namespace

void register_help(CLI::App& app, Context& context) {
  auto words = std::make_shared<std::vector<std::string>>();
  CLI::App& command = add_command(app, {"help",
                                        "Print what a command is for and how it is used",
                                        "[COMMAND...]",
                                        {"still help checkpoint", "still help volume create"}});
  command.add_option("COMMAND", *words, "Words of the command; none: all commands are listed");
  on_run(command, context, [&app, words] { return print_help(app, *words); });
}

}  // namespace still::cli
