#include "flags.h"

#include <getopt.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "processes.h"

namespace workload {
namespace {

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string joined(const std::vector<std::string>& words, const std::string& separator) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : separator) + word;
  return all;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words;
  size_t begin = 0;
  for (size_t end = 0; end != std::string::npos; begin = end + 1) {
    end = text.find(',', begin);
    words.push_back(text.substr(begin, end - begin));
  }
  return words;
}

}  // namespace

Flags::Flags(std::string usage, std::string description, std::string closing)
    : usage_(std::move(usage)),
      description_(std::move(description)),
      closing_(std::move(closing)) {}

void Flags::add(Flag flag) { flags_.push_back(std::move(flag)); }

void Flags::on_off(const std::string& name, bool& value, const std::string& help) {
  add({.name = name,
       .help = help,
       .standard = "",
       .set = [&value](const std::string&) { value = true; },
       .takes_value = false});
}

void Flags::list(const std::string& name, const std::vector<std::string>& all,
                 const std::string& help,
                 std::function<void(const std::vector<std::string>&)> set) {
  add({name, help + ": " + joined(all, ", "), "all",
       [name, all, set = std::move(set)](const std::string& value) {
         const std::vector<std::string> words = split(value);
         for (const std::string& word : words)
           if (std::ranges::find(all, word) == all.end())
             throw UsageError("--" + name + ": '" + word + "' is none of " + joined(all, ", "));
         set(words);
       }});
}

uint64_t Flags::parse_number(const std::string& name, const std::string& word, uint64_t least,
                             uint64_t most) {
  uint64_t number = 0;
  const char* const end = word.data() + word.size();
  const auto [rest, error] = std::from_chars(word.data(), end, number);
  if (error != std::errc() || rest != end || number < least || number > most)
    throw UsageError("--" + name + ": '" + word + "' is no number from " + std::to_string(least) +
                     " to " + std::to_string(most));
  return number;
}

std::string Flags::help(const std::string& program) const {
  std::string text = description_ + "\nUsage: " + program + " " + usage_ + "\n\n";
  for (const Flag& flag : flags_) {
    std::string name = "  --" + flag.name + (flag.takes_value ? " VALUE" : "");
    name.resize(std::max(name.size() + 1, size_t{26}), ' ');
    text += name + flag.help + (flag.standard.empty() ? "" : " (" + flag.standard + ")") + "\n";
  }
  return text + (closing_.empty() ? "" : "\n" + closing_ + "\n");
}

std::vector<std::string> Flags::parse(int argc, char** argv, size_t words) try {
  constexpr int kHelp = 'h';
  constexpr int kFirst = 256;  // no character
  std::vector<option> table{{"help", no_argument, nullptr, kHelp}};
  for (size_t i = 0; i < flags_.size(); ++i)
    table.push_back({flags_[i].name.c_str(),
                     flags_[i].takes_value ? required_argument : no_argument, nullptr,
                     kFirst + static_cast<int>(i)});
  table.push_back({});

  while (true) {
    const int found = getopt_long(argc, argv, "h", table.data(), nullptr);
    if (found == -1) break;
    if (found == kHelp) {
      std::fputs(help(argv[0]).c_str(), stdout);
      std::exit(kFine);
    }
    if (found < kFirst) std::exit(kUsage);  // getopt_long has said why
    flags_[found - kFirst].set(optarg == nullptr ? "" : optarg);
  }
  if (static_cast<size_t>(argc - optind) != words)
    throw UsageError("expected " + std::to_string(words) + " words, see --help");
  return {argv + optind, argv + argc};
} catch (const UsageError& error) {
  std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
  std::exit(kUsage);
}

}  // namespace workload
