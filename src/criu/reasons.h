// What CRIU 4.1.1 says in its log when it fails, in words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace still::criu {

struct Reason {
  std::string words;  // empty: not known
  std::string hint;   // what to do; may be empty
  std::string lines;  // of the log, which the words stand for; with the file of CRIU's that says it

  bool is_known() const { return !words.empty(); }
};

// error: a line of CRIU's log. Processes in it are named where they are still there. One whose
// program is of no help to a user ("Dumping FAILED") or that explains itself is not known.
Reason reason_of(std::string_view error);

// The lines that are known, with a "*" for each value: for a test that CRIU has them.
std::vector<std::string_view> known_lines();

}  // namespace still::criu
