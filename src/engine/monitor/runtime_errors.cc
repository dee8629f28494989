#include "engine/monitor/runtime_errors.h"

#include <algorithm>
#include <initializer_list>
#include <string>

#include "oci/runtime.h"

namespace still::engine {
namespace {

bool says_one_of(const std::string& message, std::initializer_list<std::string_view> phrases) {
  return std::ranges::any_of(phrases,
                             [&](std::string_view phrase) { return message.contains(phrase); });
}

// The words of crun 1.21 and runc 1.1.
ErrorKind kind_of(const std::string& message) {
  if (message.contains("executable file") && message.contains("not found")) {
    return ErrorKind::kCommandMissing;
  }
  if (says_one_of(message, {"it is not executable", "is a directory", "is not a regular file"})) {
    return ErrorKind::kCannotExecute;
  }
  if (!says_one_of(message, {"exec: ", "exec `", "exec failed", "open executable", "execve"})) {
    return ErrorKind::kRuntime;
  }
  if (says_one_of(message, {"no such file or directory", "No such file or directory"})) {
    return ErrorKind::kCommandMissing;
  }
  return ErrorKind::kCannotExecute;
}

}  // namespace

Error runtime_error(std::string_view message) {
  const std::string line = oci::runtime_message(message);
  return {kind_of(line), line.empty() ? "the runtime failed without a word" : line};
}

}  // namespace still::engine
