#include "cli/flags/not_yet.h"

#include "base/error.h"

namespace still::cli {
namespace {

constexpr const char* kDescription = "As Podman's";

[[noreturn]] void refuse(const std::string& names) {
  throw Error(ErrorKind::kUnsupported, names.substr(names.find("--")) + " is not supported yet",
              "leave it out");
}

}  // namespace

void not_yet_flag(CLI::App& command, const std::string& names) {
  command.add_flag_callback(names, [names] { refuse(names); }, kDescription);
}

void not_yet_value(CLI::App& command, const std::string& names) {
  command.add_option_function<std::string>(
      names, [names](const std::string&) { refuse(names); }, kDescription);
}

}  // namespace still::cli
