// How commands print their --help: what a command is for, its flags in groups, in 80 columns.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace still::cli {

class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override;
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
  std::string make_subcommand(const CLI::App* command) const override;
};

// Flags that are added from here on stand under this heading.
void begin_flag_group(CLI::App& command, const std::string& heading);

// Of the known words the one that is meant by a mistyped one; empty if none is near.
std::string nearest_word(std::string_view mistyped, const std::vector<std::string>& known);
// A hint: the nearest word, if there is one, and where to look.
std::string did_you_mean(const std::string& nearest, const std::string& see);

}  // namespace still::cli
