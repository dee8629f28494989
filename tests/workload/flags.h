// The command lines of the programs here, by getopt_long. One table says what a program takes, and
// its --help is made from that.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace workload {

class Flags {
 public:
  // usage is what follows the name of the program; closing are the last lines of the help.
  Flags(std::string usage, std::string description, std::string closing = "");

  void on_off(const std::string& name, bool& value, const std::string& help);
  // value is what a std::string can become, as a path.
  template <typename T>
  void text(const std::string& name, T& value, const std::string& help) {
    add({name, help, value, [&value](const std::string& word) { value = word; }});
  }
  // value is an integer or a duration, which is given in its own unit.
  template <typename T>
  void number(const std::string& name, T& value, const std::string& help, uint64_t least = 0,
              uint64_t most = std::numeric_limits<int64_t>::max()) {
    uint64_t now = 0;
    if constexpr (std::integral<T>)
      now = value;
    else
      now = value.count();
    add({name, help, std::to_string(now), [&value, name, least, most](const std::string& word) {
           value = static_cast<T>(parse_number(name, word, least, most));
         }});
  }
  // Words of `all`, with commas between them, for `set`; without the flag it is not called.
  void list(const std::string& name, const std::vector<std::string>& all, const std::string& help,
            std::function<void(const std::vector<std::string>&)> set);

  // Sets what the arguments say and returns the words that are no flags, of which there must be so
  // many. Help that is asked for ends the program with 0, a wrong command line with 2.
  std::vector<std::string> parse(int argc, char** argv, size_t words = 0);

 private:
  struct Flag {
    std::string name;
    std::string help;
    std::string standard;                         // what holds without the flag
    std::function<void(const std::string&)> set;  // throws UsageError
    bool takes_value = true;
  };

  void add(Flag flag);
  std::string help(const std::string& program) const;
  static uint64_t parse_number(const std::string& name, const std::string& word, uint64_t least,
                               uint64_t most);

  std::string usage_;
  std::string description_;
  std::string closing_;
  std::vector<Flag> flags_;
};

}  // namespace workload
