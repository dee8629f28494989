// still __complete: what may follow on a command line, for the shells (completions/).
#include <algorithm>
#include <iostream>
#include <string_view>

#include "base/text.h"
#include "cli/app.h"
#include "cli/output/kept_view.h"

namespace still::cli {
namespace {

using Words = std::vector<std::string>;

// Where a command line that is being typed has come to.
struct Typed {
  const CLI::App* command = nullptr;
  const CLI::Option* awaited = nullptr;  // the flag before wants a value
  size_t arguments = 0;                  // words that are neither flags nor commands
};

bool takes_value(const CLI::Option& option) { return option.get_expected_min() > 0; }

Typed follow(const CLI::App& app, const Words& words) {
  Typed typed{.command = &app};
  for (const std::string& word : words) {
    if (typed.awaited != nullptr) {
      typed.awaited = nullptr;
    } else if (is_flag(word)) {
      const CLI::Option* option = typed.command->get_option_no_throw(word);
      if (option != nullptr && takes_value(*option)) typed.awaited = option;
    } else if (const CLI::App* named = find_command(*typed.command, word)) {
      typed.command = named;
    } else {
      ++typed.arguments;
    }
  }
  return typed;
}

// What stands at a place of "[flags] IMAGE [COMMAND [ARG...]]" in the usage line.
std::string argument_at(const CLI::App& command, size_t place) {
  Words kinds;
  for (std::string word : split(command.get_usage(), ' ')) {
    std::erase_if(word, [](char c) { return c == '[' || c == ']' || c == '.'; });
    const bool is_kind =
        std::ranges::all_of(word, [](char c) { return (c >= 'A' && c <= 'Z') || c == '-'; });
    if (is_kind && !word.empty()) kinds.push_back(word);
  }
  return kinds.empty() ? "" : kinds[std::min(place, kinds.size() - 1)];
}

void print(const std::string& candidate, const std::string& description) {
  std::cout << candidate << '\t' << description << '\n';
}

void print_commands(const CLI::App& parent) {
  for (const CLI::App* command : parent.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) print(command->get_name(), command->get_description());
  }
}

void print_flags(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_group().empty()) continue;
    for (const std::string& name : option->get_lnames()) {
      print("--" + name, option->get_description());
    }
  }
}

// "zstd|gzip|none (default zstd)"; "FILE" and the like are no alternatives.
void print_alternatives(const CLI::Option& option) {
  const std::string& text = option.get_option_text();
  const std::string values = text.substr(0, text.find(' '));
  if (!values.contains('|')) return;
  for (const std::string& value : split(values, '|')) {
    const bool is_literal =
        std::ranges::none_of(value, [](char c) { return c >= 'A' && c <= 'Z'; });
    if (is_literal && value != "-") print(value, "");
  }
}

// "NAME" of `inspect` is of the kind that its group manages.
std::string kind_of_name(const CLI::App& command) {
  const std::string& group = command.get_parent()->get_name();
  return group == "volume" ? "VOLUME" : group == "image" ? "IMAGE" : "CONTAINER";
}

void print_names(Context& context, const std::string& kind) {
  if (kind == "CONTAINER") {
    for (const auto& container : context.store().containers()) print(container.name, "container");
  } else if (kind == "CHECKPOINT") {
    for (const auto& container : context.store().containers()) {
      for (const auto& kept : engine::kept_checkpoints(context.layout(), container)) {
        print(name_of(container, kept.kind), "checkpoint");
      }
    }
  } else if (kind == "VOLUME") {
    for (const auto& volume : context.store().volumes()) print(volume.name, "volume");
  } else if (kind == "IMAGE") {
    for (const auto& image : context.store().images()) {
      for (const std::string& name : image.names) print(name, "image");
    }
  }
}

// The last word is the one that is being typed. A shell offers its own files where nothing is said.
int print_candidates(const CLI::App& app, Context& context, Words words) {
  const std::string typing = words.empty() ? "" : words.back();
  if (!words.empty()) words.pop_back();
  const Typed typed = follow(app, words);
  if (typed.awaited != nullptr) {
    print_alternatives(*typed.awaited);
  } else if (typing.starts_with('-')) {
    print_flags(*typed.command);
  } else if (typed.command->get_require_subcommand_min() > 0) {
    print_commands(*typed.command);
  } else {
    const std::string kind = argument_at(*typed.command, typed.arguments);
    print_names(context, kind == "NAME" ? kind_of_name(*typed.command) : kind);
  }
  return 0;
}

}  // namespace

void register_complete(CLI::App& app, Context& context) {
  auto words = std::make_shared<Words>();
  CLI::App& command = add_command(app, {"__complete", "Print what may follow", "WORD...", {}});
  command.group("");
  stop_at_first_word(command);
  on_run(command, context, [&app, &context, &command] {
    return print_candidates(app, context, rest_of_line(command));
  });
}

}  // namespace still::cli
