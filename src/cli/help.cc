#include "cli/help.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/text.h"

namespace still::cli {
namespace {

constexpr size_t kWidth = 80;
// Where descriptions begin.
constexpr size_t kFlagColumn = 28;
constexpr size_t kCommandColumn = 16;
// Where CLI11 puts options that nobody has put elsewhere.
constexpr const char* kUngrouped = "Options";

// "-e, --export"; without a short name, room for one. CLI11 appends "{false}" to the name of a
// switch that turns off.
std::string names_of(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  const std::string indent = names.empty() ? "    " : "";
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return indent + join(names, ", ");
}

struct ValueText {
  std::string value;    // "SIZE"
  std::string remarks;  // "(default 64m)"
};
ValueText value_text(const CLI::Option& option) {
  const std::string& text = option.get_option_text();
  const size_t remarks = text.find(" (");
  if (remarks == std::string::npos) return {text, ""};
  return {text.substr(0, remarks), text.substr(remarks + 1)};
}

// The description begins in a line of its own where the name leaves no room.
std::string in_columns(const std::string& name, const std::string& description, size_t begin) {
  const std::string next_line = "\n" + std::string(begin, ' ');
  std::string text = "  " + name;
  text += text.size() + 2 > begin ? next_line : std::string(begin - text.size(), ' ');
  size_t column = begin;
  for (const std::string& word : split(description, ' ')) {
    const bool is_first = column == begin;
    if (!is_first && column + 1 + word.size() > kWidth) {
      text += next_line;
      column = begin;
    } else if (!is_first) {
      text += ' ';
      ++column;
    }
    text += word;
    column += word.size();
  }
  return text + "\n";
}

// Headings of flags in the order of their first flag, those that have none at last.
std::vector<std::string> headings_of(const CLI::App& app) {
  std::vector<std::string> headings;
  for (const CLI::Option* option : app.get_options()) {
    const std::string& group = option->get_group();
    const bool is_named = option->nonpositional() && !group.empty() && group != kUngrouped;
    if (is_named && !std::ranges::contains(headings, group)) headings.push_back(group);
  }
  headings.emplace_back(kUngrouped);
  return headings;
}

// Levenshtein's: how many letters are to be added, removed or changed.
size_t distance(std::string_view one, std::string_view other) {
  std::vector<size_t> row(other.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < one.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < other.size(); ++j) {
      const size_t changed = diagonal + (one[i] == other[j] ? 0 : 1);
      diagonal = std::exchange(row[j + 1], std::min({row[j] + 1, row[j + 1] + 1, changed}));
    }
  }
  return row.back();
}

}  // namespace

std::string HelpFormatter::make_help(const CLI::App* app, std::string name,
                                     CLI::AppFormatMode mode) const {
  std::string text = make_description(app) + make_usage(app, name) + make_positionals(app);
  const auto headings = headings_of(*app);
  for (const std::string& heading : headings) {
    const auto options = app->get_options([&](const CLI::Option* option) {
      return option->nonpositional() && option->get_group() == heading;
    });
    const bool is_rest = heading == kUngrouped && headings.size() > 1;
    if (!options.empty()) text += make_group(is_rest ? "Other flags" : heading, false, options);
  }
  return text + make_subcommands(app, mode) + make_footer(app);
}

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  const ValueText value = value_text(*option);
  std::string name = is_positional ? option->get_name(true, false) : names_of(*option);
  if (!value.value.empty()) name += " " + value.value;
  const std::string& description = option->get_description();
  return in_columns(name, value.remarks.empty() ? description : description + " " + value.remarks,
                    kFlagColumn);
}

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  return in_columns(command->get_display_name(true), command->get_description(), kCommandColumn);
}

void begin_flag_group(CLI::App& command, const std::string& heading) {
  command.option_defaults()->group(heading);
}

std::string nearest_word(std::string_view mistyped, const std::vector<std::string>& known) {
  // One letter in three may be wrong.
  constexpr size_t kLettersForAnError = 3;
  size_t least = std::max<size_t>(1, mistyped.size() / kLettersForAnError) + 1;
  std::string nearest;
  for (const std::string& word : known) {
    const size_t errors = distance(mistyped, word);
    if (errors < least) {
      least = errors;
      nearest = word;
    }
  }
  return nearest;
}

std::string did_you_mean(const std::string& nearest, const std::string& see) {
  return nearest.empty() ? see : "did you mean '" + nearest + "'? " + see;
}

}  // namespace still::cli
